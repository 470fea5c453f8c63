// Package operation is what an AWS service is made of: operations, the protocols in which they are called, and what is
// told of them. A service's package makes a Service of its operations; package awsapi lists the services and serves
// them.
//
// The way of a call through this package is: an API (RESTAPI, JSONAPI or QueryAPI) finds the operation, Typed or
// QueryOf decodes its input, the operation authorizes the call and does what is asked, and the API encodes the output.
// How protocols look on the wire is package wire.
package operation
