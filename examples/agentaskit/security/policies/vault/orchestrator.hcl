# Role orchestrator-role: reads every secret of AgentAskit.
path "secret/data/agentaskit/*" {
  capabilities = ["read"]
}

path "secret/metadata/agentaskit/*" {
  capabilities = ["list", "read"]
}

path "transit/sign/agentaskit-jwt" {
  capabilities = ["update"]
}

path "transit/encrypt/agentaskit" {
  capabilities = ["update"]
}

path "transit/decrypt/agentaskit" {
  capabilities = ["update"]
}

path "database/static-creds/agentaskit-db" {
  capabilities = ["read"]
}
