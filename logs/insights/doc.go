// Package insights is the query language of CloudWatch Logs Insights ("CloudWatch Logs Insights language query syntax" of
// the CloudWatch Logs user guide): it reads queries and runs them over events, which come in any order and by several
// goroutines, in bounded memory. It knows nothing of where events are kept.
package insights
