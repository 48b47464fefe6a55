#!/usr/bin/env bash
# Measures XML signatures of ebMS messages and UBL certificates in one run: ours, xmlsec1, Apache Santuario and the JDK's
# own, over the same bytes, with RSA-2048. A message is an envelope of 1.5 KB and one part of the size that is named.
#
# Times are processor microseconds for one operation, parsing included: ours on one processor with the garbage collector, xmlsec1 as
# the difference between many and few repetitions in one process, the JVM's warm and of the working thread alone. "floor" is
# SHA-256 of all the bytes and one public RSA operation in Go; "key" is the private RSA operation within our signing.
#
# It needs Debian's xmlsec1, libxml-security-java, default-jdk-headless and gawk or mawk. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
for command in go xmlsec1 java javac; do
	command -v "$command" >/dev/null || { echo "bench/xmldsig.sh: $command is missing"; exit 1; }
done
java=/usr/share/java
[ -e $java/xmlsec.jar ] || { echo "bench/xmldsig.sh: $java/xmlsec.jar is missing (Debian package libxml-security-java)"; exit 1; }
seconds=${SECONDS_EACH:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
classpath="$work/classes:$java/xmlsec.jar:$java/commons-codec.jar:$java/slf4j-api.jar:$java/slf4j-nop.jar"
javac -cp "$classpath" -d "$work/classes" signing/testdata/interop/*.java

# Lines of: product kind/size operation microseconds.
GOMAXPROCS=1 go test ./signing -run '^$' -bench '^BenchmarkProducts$' -benchtime "${seconds}s" -messages "$work/m" |
	awk '/^Benchmark/ { split($1, n, /\/|-[0-9]+$/); for (i = 2; i < NF; i++) {
		if ($(i+1) == "cpu-us/op") print "ours", n[2] "/" n[3], n[4], $i
		if ($(i+1) == "key-us/op") print "key", n[2] "/" n[3], n[4], $i } }' >"$work/times"

xmlsec_time() { # xmlsec_time REPETITIONS FOLDER: user and system seconds of that many verifications
	local maps=() part
	for part in "$2"/parts/*; do
		[ -e "$part" ] && maps+=("--url-map:cid:$(basename "$part")" "$part")
	done
	local TIMEFORMAT='%U %S'
	{ time xmlsec1 --verify --repeat "$1" --enabled-key-data x509 --trusted-pem "$2/credential.pem" "${maps[@]}" "$2/signed.xml" >/dev/null 2>&1; } 2>&1 |
		awk '{ print $1 + $2 }'
}
for folder in "$work"/m/*/*; do
	name=${folder#"$work"/m/}
	for program in Santuario Jsr105; do
		java -cp "$classpath" "$program" bench "$seconds" "$folder" |
			awk -v p="$program" -v n="$name" '{ print p, n, "verify", $1; print p, n, "sign", $2 }'
	done >>"$work/times"
	best=
	for _ in 1 2 3; do
		best+="$(xmlsec_time 10 "$folder") $(xmlsec_time 1010 "$folder") "
	done
	awk -v n="$name" '{ best = 1e9; for (i = 1; i < NF; i += 2) if ($(i+1) - $i < best) best = $(i+1) - $i; print "xmlsec1", n, "verify", best * 1000 }' <<<"$best" >>"$work/times"
done

echo "$(go version | cut -d' ' -f3,4), $(xmlsec1 --version | cut -d' ' -f1,2), $(java -version 2>&1 | head -n 1), $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"
for folder in "$work"/m/*/*; do
	parts=0
	[ -e "$folder"/parts ] && parts=$(cat "$folder"/parts/* | wc -c)
	echo "${folder#"$work"/m/}: signed XML of $(wc -c <"$folder/signed.xml") octets, parts of $parts octets"
done
awk '
	{ t[$1, $2, $3] = $4 }
	function row(n) {
		v = t["ours", n, "verify"]; f = t["ours", n, "floor"]; x = t["xmlsec1", n, "verify"]
		a = t["Santuario", n, "verify"]; j = t["Jsr105", n, "verify"]; s = t["ours", n, "sign"]; k = t["key", n, "sign"]
		printf "%-15s %7.0f %7.0f %6.2f | %7.0f %6.1f | %9.0f %6.1f | %7.0f %6.1f | %7.0f %7.0f %6.2f | %9.0f\n",
			n, v, f, v / f, x, x / v, a, a / v, j, j / v, s, k, s / k, t["Santuario", n, "sign"]
	}
	END {
		print "Processor microseconds for one operation, parsing included; a ratio is how many times ours that is, but for verify"
		print "(ours to the floor: SHA-256 of what is covered and one public RSA operation) and sign (ours to the private key alone)."
		printf "%-15s %7s %7s %6s | %7s %6s | %9s %6s | %7s %6s | %7s %7s %6s | %9s\n", "CPU us", "verify", "floor", "ratio",
			"xmlsec1", "ratio", "Santuario", "ratio", "JDK", "ratio", "sign", "key", "ratio", "Santuario"
		split("message/5KB message/20KB message/100KB document/5KB document/20KB document/100KB", names, " ")
		for (i = 1; i <= 6; i++) row(names[i])
	}' "$work/times"
