terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
    vault = {
      source  = "hashicorp/vault"
      version = "~> 4.5"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
}

provider "vault" {
  address = var.vault_address
}

resource "aws_kms_key" "backups" {
  description             = "Backups of the agents database"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_db_instance" "agents" {
  identifier        = "agents"
  engine            = "postgres"
  instance_class    = "db.r6g.large"
  allocated_storage = 200
  username          = "agentaskit"
  password          = var.db_password
  kms_key_id        = aws_kms_key.backups.arn
  storage_encrypted = true
}

data "vault_kv_secret_v2" "api_keys" {
  mount = "secret"
  name  = "agentaskit/api-keys"
}

resource "aws_ssm_parameter" "metrics" {
  name  = "/agentaskit/metrics/api-key"
  type  = "SecureString"
  value = var.datadog_api_key
}
