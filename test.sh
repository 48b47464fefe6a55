#!/usr/bin/env bash
# Runs every check and test of the project: formatting, vet, staticcheck, govulncheck where its database answers, all tests with the race
# detector, and the fuzz targets on their seeds (ECOGATE_FUZZ=60s fuzzes each for so long on top).
#
# The tests that compare with other implementations need Debian's xmlsec1, libxml2-utils, openssl, libxml-security-java and a JDK, those
# with a PKCS #11 token softhsm2, that of a proxy nginx-light, those of SFTP openssh-server, those of notices postfix and dovecot-core, those of PDF renditions poppler-utils, zbar-tools, qpdf, fonts-dejavu-core and fonts-nanum. They are
# installed when this runs as root on Debian and one is missing; otherwise it says which tests will skip.
set -euo pipefail
cd "$(dirname "$0")"

have() { command -v "$1" >/dev/null 2>&1 || [ -e "$1" ]; } # a command, or the path of a file
need() { # need COMMAND-OR-FILE PACKAGE WHAT-SKIPS
	have "$1" && return
	if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
		[ -n "${apt_updated:-}" ] || { apt-get update -qq && apt_updated=1; } || true
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2" >/dev/null 2>&1 || true
	fi
	have "$1" || echo "test.sh: $1 (Debian package $2) is missing: skipping $3"
}
need xmlsec1 xmlsec1 "the comparison of signatures with xmlsec1"
need xmllint libxml2-utils "validation against the UBL and ebMS schemas and the comparison of canonical form"
need javac default-jdk-headless "the comparison of signatures with the JDK and with Apache Santuario"
need /usr/share/java/xmlsec.jar libxml-security-java "the comparison of signatures with Apache Santuario"
need openssl openssl "the comparison of keys and signed announcements with OpenSSL"
need softhsm2-util softhsm2 "the tests with keys in a PKCS #11 token"
need /usr/sbin/nginx nginx-light "the handing over of a client's credential by a proxy"
need /usr/sbin/sshd openssh-server "the handing over by SFTP to OpenSSH's server"
need /usr/lib/openssh/sftp-server openssh-sftp-server "the handing over by SFTP to OpenSSH's server"
need pdftotext poppler-utils "the comparison of PDF renditions with what they should say"
need zbarimg zbar-tools "the reading of QR codes off PDF renditions"
need qpdf qpdf "the check that PDF renditions are sound"
need /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf fonts-dejavu-core "the printing of Vietnamese, Cyrillic and Greek names"
need /usr/share/fonts/truetype/nanum/NanumGothic.ttf fonts-nanum "the printing of Korean names"
need /usr/sbin/postfix postfix "the sending of notices through a mail server"
need /usr/sbin/dovecot dovecot-core "the sending of notices through a mail server"
need gcc gcc "nothing if it stays away: the race detector needs a C compiler"
[ -d ../shared ] || echo "test.sh: ../shared is absent: skipping the tests that read schemas, recorded messages and public vectors"

section() { printf '\n== %s\n' "$1"; }

section "gofmt"
unformatted=$(gofmt -l $(git ls-files '*.go' 2>/dev/null || find . -name '*.go'))
[ -z "$unformatted" ] || { echo "not gofmt-clean:"; echo "$unformatted"; exit 1; }

section "go vet"
go vet ./...
go vet -tags fault ./...

section "staticcheck"
go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

section "govulncheck"
if ! out=$(timeout 120 go run golang.org/x/vuln/cmd/govulncheck@v1.8.0 ./... 2>&1); then
	if grep -q "Vulnerability #" <<<"$out"; then echo "$out"; exit 1; fi
	echo "skipped: the vulnerability database does not answer here: $(tail -n 1 <<<"$out")"
else
	echo "$out" | tail -n 1
fi

section "tests, with the race detector"
go test -race -timeout 15m ./...

section "signatures between us and other products"
go test -count=1 -run '^TestOtherProductsAgree$' -v ./signing | sed '/^=== RUN/d'
section "keys in a PKCS #11 token (build tag pkcs11, needs cgo)"
if command -v gcc >/dev/null 2>&1 && command -v softhsm2-util >/dev/null 2>&1; then
	go vet -tags pkcs11 ./...
	go test -tags pkcs11 -run PKCS11 ./signing ./cmd/ecogate
else
	echo "skipped: gcc or softhsm2-util is missing"
fi

if [ -n "${ECOGATE_FUZZ:-}" ]; then
	section "fuzzing, $ECOGATE_FUZZ each"
	for package in $(go list ./...); do
		for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
			echo "-- $package $target"
			go test -run '^$' -fuzz "^$target\$" -fuzztime "$ECOGATE_FUZZ" -fuzzminimizetime 10x "$package"
		done
	done
fi
