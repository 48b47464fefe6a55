//go:build race

package exchange_test

// raceDetector says that everything takes ten times as long.
const raceDetector = true
