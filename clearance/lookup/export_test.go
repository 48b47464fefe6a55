package lookup

import "context"

// PutNext puts the question that waits the longest, and reports whether there was one.
func PutNext(ctx context.Context, d *Desk) bool {
	select {
	case q := <-d.questions:
		d.putOne(ctx, q)
		return true
	default:
		return false
	}
}
