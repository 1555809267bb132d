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
