package network

import (
	"fmt"
	"net/netip"
	"os"
)

// ErrFiltered is why a connection does not come to an address: the VPC's rules, or a NetworkPolicy, do not let it pass. In AWS its
// packets are dropped and the client waits in vain; here it is told at once, so the error counts as a time-out.
var ErrFiltered = fmt.Errorf("the network's rules do not let it pass: %w", os.ErrDeadlineExceeded)

// Filtered is an ErrFiltered with a sentence of its own.
func Filtered(sentence string) error { return told{sentence, ErrFiltered} }

// Source is where a connection to an address of the VPC comes from.
type Source struct {
	// Address is the client's, as the far side is to see it. The zero value: that of Balancer's node, or else of the zone's
	// control plane.
	Address netip.AddrPort
	// Node is the address of the node that leads it on, whose security groups count then; the zero value: none does.
	Node netip.Addr
	// Balancer is the ARN of the load balancer whose node leads it on; empty: none does.
	Balancer string
}
