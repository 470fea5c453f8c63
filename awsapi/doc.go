// Package awsapi is the AWS endpoint of a zone: one HTTP handler for all services, told apart by the signing name in a
// request's credential scope, as one port has one name for all of them.
//
// A request is refused where a web page sent it (Host and Origin), and routed to its service; every signed request is
// authenticated before an operation sees it. Two operations of STS take no signature, since their callers bring a
// token, and the OIDC documents of clusters are public. The services are the packages below, in the one list of
// Backend.Services. Shared by them: operation (what a service is made of) and wire (how protocols look). Around every
// call: history writes it down, throttle may refuse it, and upstream may answer what Tripod does not have.
//
// Reads are answered from the zone's own copy of the regional state, with or without a quorum. DESIGN.md follows a
// request from file to file, and says how to add an operation and a service.
package awsapi
