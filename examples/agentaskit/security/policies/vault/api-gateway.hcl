# Role api-gateway-role: reads the API keys and nothing else.
path "secret/data/agentaskit/api-keys" {
  capabilities = ["read"]
}

path "secret/metadata/agentaskit/api-keys" {
  capabilities = ["read"]
}
