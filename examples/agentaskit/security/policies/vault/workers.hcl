# Role worker-role: reads the database credentials and the API keys.
path "secret/data/agentaskit/db-credentials" {
  capabilities = ["read"]
}

path "secret/data/agentaskit/api-keys" {
  capabilities = ["read"]
}

path "database/static-creds/agentaskit-db" {
  capabilities = ["read"]
}
