# Vault policy: policies/agentaskit-secrets.hcl
path "secret/data/agentaskit/*" {
  capabilities = ["read"]
}

path "secret/metadata/agentaskit/*" {
  capabilities = ["list"]
}
