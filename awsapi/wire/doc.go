// Package wire is how AWS services speak over HTTP: it reads the inputs of their protocols, checks them by the
// service's model, and writes outputs and errors. It knows neither who calls nor what an operation does; see package
// operation.
//
// Shapes are not written by hand where the AWS SDK publishes schemas: its own encoder writes them (see Encode).
package wire
