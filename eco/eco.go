// Package eco knows the certificate of origin: what one holds, which forms exist, which rules each form sets, how
// certificates are referred to, what the importing side answers, which codes there are, and which life a certificate leads. It is
// pure: no I/O and no clock. It does not know how certificates and answers are written on the wire (package ubl), who may
// issue them (package partners) or what became of them (package exchange).
//
// Rules of one form are data in a file of the folder forms, which form_read.go reads and form_check.go judges; rules that hold
// for every form are code in the validate files. What a receiver refuses besides is data too, in Quirks. What is wrong with a
// certificate is told as findings with a code, a path and a remedy.
//
// Read in this order: certificate.go, form.go and forms.go, finding.go, validate.go and quirks.go, criterion.go, reference.go,
// filler.go, decode.go, answer.go; then lifecycle.go, event.go, lifecycle_moves.go; then codes.go, convert.go, related.go,
// backtoback.go, cpe.go, deadline.go.
package eco
