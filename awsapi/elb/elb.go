// Package elb is Elastic Load Balancing, both of its APIs: the classic one of 2012 and the one of application and
// network load balancers of 2015.
//
// Tripod makes no load balancers yet: lists are empty, what is asked for by name or ARN is not found in AWS's own
// words, and creating one is refused as an operation that Tripod does not have. So what looks for load balancers before
// it makes or deletes something (controllers, terraform, cleaners) sees what is true.
package elb

import (
	"net/http"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

// Name is the signing name of both APIs: the version tells them apart.
const Name = "elasticloadbalancing"

func refuse(code, message string) error {
	return &wire.Error{Code: code, Status: http.StatusBadRequest, Message: message}
}

// Listing is both APIs as package awsapi lists them. The documentation has the newer API and then the classic one.
func Listing() operation.Service {
	clauses := []operation.Clause{
		{Words: []string{"Limits"}, State: operation.Works, Effect: "AWS's default quotas"},
		{Words: []string{""}, State: operation.Works,
			Effect: "none: Tripod makes no load balancers yet, and what is named is not found"},
	}
	v2, classic := V2(), Classic()
	return operation.Service{
		Title: "Elastic Load Balancing", Name: Name, Protocol: wire.Query, APIs: []operation.API{v2, classic},
		Documented: append(operation.DocumentBy(v2.Names(), clauses),
			operation.DocumentBy(classic.Names(), clauses)...),
		BodyLimit: 64 << 10,
	}
}
