package api

// ReachQuestion asks whether a connection passes in a cluster's network.
type ReachQuestion struct {
	// From is who connects: pod/NAMESPACE/NAME, node/NAME, lb/NAME (a load balancer, to its targets), an address, "internet", or
	// empty: the control plane.
	From string `json:"from,omitempty"`
	// To is pod/NAMESPACE/NAME, node/NAME, svc/NAMESPACE/NAME, lb/NAME, an address or a name of the cluster's DNS.
	To   string `json:"to"`
	Port int    `json:"port"`
}

// Reach is the answer: a leg for each address that the name stands for.
type Reach struct {
	Cluster string     `json:"cluster"`
	Reaches bool       `json:"reaches"` // all legs do
	Legs    []ReachLeg `json:"legs"`
}

// ReachLeg is one connection, and what it meets in order.
type ReachLeg struct {
	From    string      `json:"from"`
	To      string      `json:"to"`
	Reaches bool        `json:"reaches"`
	Steps   []ReachStep `json:"steps"`
	// Tried is what came of connecting in fact: "connected", or why it failed; empty: it was not tried.
	Tried string `json:"tried,omitempty"`
}

// ReachStep is one thing that a connection meets.
type ReachStep struct {
	Component string `json:"component"` // security-group, network-acl, route-table or network-policy
	ID        string `json:"id"`
	// Rule is the one that has decided; empty: none does.
	Rule   string `json:"rule,omitempty"`
	Passes bool   `json:"passes"`
	// Code is that of AWS's Reachability Analyzer for what does not pass, or NETWORK_POLICY_RESTRICTION.
	Code     string `json:"code,omitempty"`
	Sentence string `json:"sentence"`
}

// Connection is what a client of the region's network wants to be connected to.
type Connection struct {
	// As is in whose place it is: pod/NAMESPACE/NAME, node/NAME, or empty: the control plane's.
	As string `json:"as,omitempty"`
	// Host is an address in the VPC, or a name of a Service, a pod or a node.
	Host string `json:"host"`
	Port int    `json:"port"`
}
