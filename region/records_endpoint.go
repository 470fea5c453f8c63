package region

// EndpointAccess says who may reach a cluster's endpoint.
type EndpointAccess struct {
	// Public opens the endpoint to clients whose address is in one of PublicCIDRs, Private that of the cluster's own
	// network.
	Public      bool     `json:"public"`
	PublicCIDRs []string `json:"publicCidrs"`
	Private     bool     `json:"private"`
	// UpdateID is the update that asked for this, until it is in effect.
	UpdateID string `json:"updateId,omitempty"`
}

// EndpointAccess is the cluster's. One without a record of it is open to all, as it is where nobody asks for anything
// else.
func (c Cluster) EndpointAccess() EndpointAccess {
	if c.Access == nil {
		return EndpointAccess{Public: true, PublicCIDRs: []string{"0.0.0.0/0"}}
	}
	return *c.Access
}
