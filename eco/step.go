package eco

import (
	"slices"
	"time"
)

// Step is a state that a certificate came to, and when.
type Step struct {
	State State     `json:"state"`
	At    time.Time `json:"at"`
}

// MaxSteps bounds Life.Steps: of a longer life the last are kept.
const MaxSteps = 50

// stepped is steps with one more.
func stepped(steps []Step, next Step) []Step {
	steps = append(slices.Clip(steps), next)
	return steps[max(len(steps)-MaxSteps, 0):]
}
