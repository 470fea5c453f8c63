// Package fluentbit reads configurations of Fluent Bit, as the ConfigMap of Fargate's log router has them, and does with records what
// its filters say.
//
// Sections are those of the classic mode. What is known here does what Fluent Bit's manual says of it; all else is refused by name, so
// that nobody's logs go elsewhere than they are thought to go. Regular expressions are RE2's: Onigmo's look ahead and back references
// are refused. The filters of one record end, and what they make of it is bounded: a record has at most mostFields fields.
package fluentbit
