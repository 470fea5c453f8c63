// Package history writes down every call of a zone's AWS front, as CloudTrail does: one JSON object a line, in an
// append-only file per zone.
//
// Records hold no secret (see Redact), and no control characters that would do something in a terminal. Writing never
// makes a call wait or fail: what cannot be written is counted, and the file says how many are missing.
package history
