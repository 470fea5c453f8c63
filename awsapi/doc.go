// Package awsapi is the AWS endpoint of a zone: one HTTP handler for all services, told apart by the signing name in a
// request's credential scope, as one port has one name for all of them.
//
// A request passes the guard (Host and Origin), then the router; every operation verifies the signature before anything
// else. The services are the packages below: eks, eksauth and arczonalshift by their paths, the others at "/" (see allServices). Shared by
// them: wire (protocols, errors), sigv4. Around every call: history writes it down, throttle may refuse it, and upstream may answer what
// Tripod does not have.
//
// Reads are answered from the zone's own copy of the regional state, with or without a quorum.
package awsapi
