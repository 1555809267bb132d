// Command orchestrator plans jobs and hands them to the workers.
package main

import (
	"log"

	"agentaskit.example/orchestrator/internal/config"
)

func main() {
	cfg, err := config.Load("configs/secrets/vault.yaml")
	if err != nil {
		log.Fatal(err)
	}
	for _, secret := range cfg.Vault.Secrets {
		log.Printf("secret %s#%s is managed by Vault", secret.Path, secret.Key)
	}
}
