package iam

import "strings"

// MaxTags is how many tags an entity or a session has at most.
const MaxTags = 50

// IsReservedTag says whether a tag's key is one of AWS's own.
func IsReservedTag(key string) bool { return strings.HasPrefix(strings.ToLower(key), "aws:") }
