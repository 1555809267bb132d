// Package config reads the orchestrator's settings.
package config

import (
	"fmt"
	"os"

	"gopkg.in/yaml.v3"
)

// SecretRef says where a secret lives in Vault. It never holds the value.
type SecretRef struct {
	Path string `yaml:"path"`
	Key  string `yaml:"key"`
}

// Vault is the part of configs/secrets/vault.yaml that the orchestrator needs.
type Vault struct {
	Address string      `yaml:"address"`
	Secrets []SecretRef `yaml:"secrets"`
}

// Config holds the settings of one process.
type Config struct {
	Vault       Vault
	GitLabToken string
	PasswordKey string
}

// Load reads the file at path and the environment.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var file struct {
		Vault Vault `yaml:"vault"`
	}
	if err := yaml.Unmarshal([]byte(os.ExpandEnv(string(text))), &file); err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	return &Config{
		Vault:       file.Vault,
		GitLabToken: os.Getenv("GITLAB_TOKEN"),
		PasswordKey: "db_password",
	}, nil
}
