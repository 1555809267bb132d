#!/bin/bash
# Nightly dump of the agents database to the backup bucket. The pod's role signs the upload.
set -euo pipefail

: "${PGHOST:?set by the CronJob}"
: "${BACKUP_BUCKET:?set by the CronJob}"

# The password comes from the file that the Vault agent renders, never from an argument.
PGPASSWORD="$(cat /vault/secrets/db-password)"
export PGPASSWORD
export AWS_REGION="${AWS_REGION:-eu-central-1}"

dump="agents-$(date -u +%Y%m%dT%H%M%SZ).dump"
pg_dump --format=custom --username=agentaskit_backup --file="/tmp/${dump}" agents
aws s3 cp "/tmp/${dump}" "s3://${BACKUP_BUCKET}/${dump}" --sse aws:kms
sha256sum "/tmp/${dump}"
rm -f "/tmp/${dump}"
