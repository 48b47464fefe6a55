// Package clearance is the importing side's use of received certificates: look-up, declarations that cite them, decisions, and what
// follows from these for brokers, officers, the customs system and the exporting side.
//
// It takes certificates that package exchange has verified and recorded, moves their lives by the rules of package eco, and keeps records
// of its own as dockets. It knows no messages, no keys and no formats: what a partner is to be told it hands to whoever sends.
//
// The audit log is its inbox. Whatever happens to a certificate leaves an entry in the transaction that does it, so whoever reacts to
// arrivals and changes follows the log from a cursor that is a docket itself: at least once, and no message waits for a reaction.
//
// Read store.go (what it asks of a store) and docket.go first. A declaration: declaration.go and decision.go (the types), validate.go, check.go with quantity.go
// and party.go, judge.go (the rules, pure), lodge.go, changes.go and decide.go (what the desk makes of them, in one transaction each), follow.go, respond.go,
// duty.go and dutydesk.go (what follows).
package clearance
