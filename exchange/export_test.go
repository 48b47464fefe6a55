package exchange

// The schedule of retry.go, for its tests.
var (
	Expiry        = expiry
	ResendAt      = resendAt
	BackoffAt     = backoffAt
	FailuresInRow = failuresInRow
	Earlier       = earlier
)

// The names that the schedule's tests use.
const (
	SignalAttempts = signalAttempts
	GivenUp        = problemGivenUp
)

// Over reports whether no further attempt at m is allowed.
var Over = Message.over
