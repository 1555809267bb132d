# prod (vault)
# The permissions that keywatch needs to audit prod. They allow metadata, but no values.
# Write the policy in the namespace that keywatch logs in to:
#   vault policy write keywatch-audit keywatch-audit.hcl
# keywatch also needs the policy `default`, which lets a token look up itself and its capabilities.
# Give keywatch's role a short token_ttl and no other policies.
# keywatch trail --operator checks the audit devices. Only for that, add this rule in the root
# namespace:
#   path "sys/audit" { capabilities = ["read", "sudo"] }
# These rules are for KV version 2. If secret is KV version 1, they could read values in folders
# named metadata or subkeys. It then needs only this rule:
#   path "secret/*" { capabilities = ["list"] }
path "sys/rotation/orphans" { capabilities = ["read"] }
path "secret/metadata/*" { capabilities = ["read", "list"] }
path "database/static-roles/*" { capabilities = ["read", "list"] }
path "database/roles/*" { capabilities = ["read", "list"] }
path "database/config/*" { capabilities = ["list"] }
path "sys/mounts/database/tune" { capabilities = ["read"] }
path "transit/keys/*" { capabilities = ["read", "list"] }
