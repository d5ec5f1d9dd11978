#!/usr/bin/env bash
# Makes two self-signed certificates for the tests, each with its key: scripts/make_certificate.sh [FOLDER]
#
# FOLDER is crates/vestnik-serve/tests/fixtures/tls. The keys are for tests alone: everybody can read them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$(realpath "${1:-crates/vestnik-serve/tests/fixtures/tls}")
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# `openssl ca` alone can say when a certificate begins: long ago, so that no clock finds it too young.
cat >"$work/ca.conf" <<'CONF'
[ca]
default_ca = test
[test]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
x509_extensions = extensions
[any]
commonName = supplied
[extensions]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
CONF
cd "$work"
echo 01 >serial
touch index
for prefix in '' other-; do
  key=$folder/${prefix}key.pem
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$key"
  openssl req -new -key "$key" -subj "/CN=${prefix}vestnik test" -out request.pem
  openssl ca -batch -notext -selfsign -config ca.conf -keyfile "$key" -in request.pem \
    -startdate 20200101000000Z -enddate 21200101000000Z -out "$folder/${prefix}cert.pem" 2>/dev/null
done
