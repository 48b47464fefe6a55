//go:build !race

package c14n_test

// raceDetector tells whether the test runs under it, which makes it slow.
const raceDetector = false
