// Package fault names the points of the two flows at which a crash must lose nothing. In an ordinary build Point does
// nothing; in a build with the tag "fault" the point named by the environment variable ECOGATE_FAULT kills the process.
package fault
