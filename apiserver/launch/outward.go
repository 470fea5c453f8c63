package launch

import (
	"errors"
	"regexp"
)

// inner are names and places inside a region that are no client's business: what the gateway routes, and sockets.
var inner = regexp.MustCompile(`[a-z0-9-]+(\.[0-9a-f]{32})?\.tripod\.internal|[^\s"]+\.sock\b`)

// Outward is an error as a client of an API server may read it: one that names what is inside the region becomes the
// sentence, and hidden says so, as the error itself is for the log then.
func Outward(err error, sentence string) (told error, hidden bool) {
	if err == nil || !inner.MatchString(err.Error()) {
		return err, false
	}
	return errors.New(sentence), true
}
