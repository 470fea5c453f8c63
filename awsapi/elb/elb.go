// Package elb is Elastic Load Balancing, both of its APIs: the classic one of 2012 and the one of application and network load balancers of 2015.
//
// Tripod makes no load balancers yet: lists are empty, what is asked for by name or ARN is not found in AWS's own words, and creating one is refused as
// an operation that Tripod does not have. So what looks for load balancers before it makes or deletes something (controllers, terraform, cleaners)
// sees what is true.
package elb

import (
	"net/http"

	"tripod/awsapi/wire"
)

// Name is the signing name of both APIs: the version tells them apart.
const Name = "elasticloadbalancing"

func refuse(code, message string) error {
	return &wire.Error{Code: code, Status: http.StatusBadRequest, Message: message}
}

// Documented are the lines of docs/operations.md, of the newer API and then of the classic one.
func Documented() []wire.Documented {
	clauses := []wire.Clause{
		{Words: []string{"Limits"}, State: wire.Works, Effect: "AWS's default quotas"},
		{Words: []string{""}, State: wire.Works, Effect: "none: Tripod makes no load balancers yet, and what is named is not found"},
	}
	return append(wire.DocumentBy(names(V2()), clauses), wire.DocumentBy(names(Classic()), clauses)...)
}
