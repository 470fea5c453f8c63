package launch

// Cloud is what a cluster's cloud controller manager knows of the AWS account that the cluster is in. Of upstream's
// cloud.conf it is the section Global, as EKS, whose control planes are in no VPC of the account, has to fill it.
type Cloud struct {
	Kubeconfig  string `json:"kubeconfig"` // file
	ClusterName string `json:"clusterName"`
	Region      string `json:"region"`
	VPC         string `json:"vpc"`     // vpc-...
	RoleARN     string `json:"roleArn"` // the cluster's own role, whose credentials CredentialsSocket gives
	URL         string `json:"url"`     // of the AWS endpoint, which signatures are for
	// FrontSocket is where that is reached: calls that the region makes itself do not go past its balancer, where they
	// would pass for a client's.
	FrontSocket string `json:"frontSocket"`
	// CredentialsSocket serves credentials by HTTP, at every path, as the containers' endpoint of AWS does.
	CredentialsSocket string `json:"credentialsSocket"`
}
