variable "vault_address" {
  description = "Address of the production Vault."
  type        = string
}

variable "db_password" {
  description = "Password of the database's owner; given by the pipeline, never in a file."
  type        = string
  sensitive   = true
}

variable "datadog_api_key" {
  description = "Key for the metrics forwarder."
  type        = string
  sensitive   = true
}
