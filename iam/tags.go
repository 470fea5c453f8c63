package iam

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// MaxTags is how many tags an entity or a session has at most.
const MaxTags = 50

var tagChars = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// WrongTag says what is wrong with a tag of an IAM entity or a session, or returns "".
func WrongTag(key, value string) string {
	switch {
	case key == "" || utf8.RuneCountInString(key) > 128 || !tagChars.MatchString(key) || strings.HasPrefix(strings.ToLower(key), "aws:"):
		return "A tag's key must be 1 to 128 letters, digits, spaces and characters of _.:/=+-@, and not begin with aws:."
	case utf8.RuneCountInString(value) > 256 || !tagChars.MatchString(value):
		return "A tag's value must be at most 256 letters, digits, spaces and characters of _.:/=+-@."
	}
	return ""
}
