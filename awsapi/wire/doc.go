// Package wire is how AWS services speak over HTTP: their protocols' answers and errors, and what one call carries.
//
// Shapes are not written by hand where the AWS SDK publishes schemas: its own encoder writes them (see Encode).
package wire
