package awsapi

import (
	"context"
	"strings"
	"time"

	"tripod/awsapi/acm"
	"tripod/awsapi/arczonalshift"
	"tripod/awsapi/autoscaling"
	"tripod/awsapi/cloudwatch"
	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/ec2"
	"tripod/awsapi/efs"
	"tripod/awsapi/eks"
	"tripod/awsapi/eksauth"
	"tripod/awsapi/elb"
	"tripod/awsapi/events"
	"tripod/awsapi/fis"
	"tripod/awsapi/iamapi"
	"tripod/awsapi/kms"
	"tripod/awsapi/logs"
	"tripod/awsapi/operation"
	"tripod/awsapi/pricing"
	"tripod/awsapi/quota"
	"tripod/awsapi/sqs"
	"tripod/awsapi/ssm"
	"tripod/awsapi/sts"
	"tripod/iam"
	"tripod/state"
)

// Backend is what the services work on.
type Backend struct {
	// Region is the region's name, such as us-east-1; signatures must be scoped to it.
	Region string
	// AccountID is the account's 12 digits.
	AccountID string
	// Zones are the region's zones, such as us-east-1a, in order: the default VPC has a subnet in each.
	Zones []string
	// State is the zone's copy of the regional state.
	State state.Updater
	// ControlPlane is what the region's clusters are made of.
	ControlPlane eks.ControlPlane
	// LogEvents has the events of CloudWatch Logs; nil means that the service is not served.
	LogEvents logs.Events
	// Background runs what outlives a call, with a context that ends with the zone, which waits for it; nil: nobody waits.
	Background func(func(context.Context))
	// Metrics are the data of CloudWatch's metrics; nil means that there are none.
	Metrics *metricdata.Store
	// IssuerHosts may be asked for OpenID Connect issuers' keys, beside loopback.
	IssuerHosts iam.IssuerHosts
	// Quotas are the account's; nil: AWS's defaults.
	Quotas quota.Quotas
	// LenientReferences takes EKS's calls that name what is not there, and notes it in the history.
	LenientReferences bool
	// RealPace lets instances and their groups take the time that they take in AWS; ControlPlane has its own.
	RealPace bool
	// Carried says that load balancers have nodes, which make them active and find out their targets' health.
	Carried bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Acting are the services whose resources act by themselves: the zones' agents run their loops.
type Acting struct {
	Clusters *eks.Service
	Network  *ec2.Service
	Groups   *autoscaling.Service
	// Alarms decides the states of CloudWatch's alarms.
	Alarms *cloudwatch.Evaluator
	// Experiments lacks the clusters' pods, which the zones' agents have.
	Experiments *fis.Service
}

// Acting makes them.
func (b Backend) Acting() Acting {
	vpc := ec2.VPC{AccountID: b.AccountID, Region: b.Region, Zones: b.Zones}
	clusters := &eks.Service{Region: b.Region, AccountID: b.AccountID, VPC: vpc, State: b.State, Quotas: b.Quotas,
		LenientReferences: b.LenientReferences, ControlPlane: b.ControlPlane, Probes: eks.Probes{Now: b.Now}}
	network := &ec2.Service{VPC: vpc, State: b.State, Now: b.Now, Clusters: clusters.Networks}
	network.Events = func(tx *state.Txn, e ec2.Event) { b.emit(tx, network.EventOf(e)) }
	groups := &autoscaling.Service{State: b.State, Network: network, Now: b.Now, Events: b.emit}
	if b.RealPace {
		groups.Pace = autoscaling.RealPace
	}
	acting := Acting{Clusters: clusters, Network: network, Groups: groups}
	acting.Alarms = &cloudwatch.Evaluator{Service: &cloudwatch.Service{Region: b.Region, AccountID: b.AccountID, State: b.State,
		Metrics: b.Metrics, Events: b.emit, Scale: groups.Follow, Now: b.Now}}
	if b.LogEvents != nil {
		acting.Alarms.History = b.LogEvents
	}
	acting.Experiments = &fis.Service{Region: b.Region, AccountID: b.AccountID, State: b.State, Network: network,
		Shiftable: acting.managed, Alarm: cloudwatch.StateOf, Now: b.Now}
	return acting
}

// emit gives an event of a service's to EventBridge. One that cannot be written would be a fault of this program's, and does
// not undo what it tells of.
func (b Backend) emit(tx *state.Txn, e events.Event) {
	e.Account, e.Region = b.AccountID, b.Region
	_ = events.Emit(tx, e)
}

// shiftable is all whose traffic can be moved away from a zone.
func (a Acting) shiftable(tx *state.Txn) []arczonalshift.Resource {
	all := a.Clusters.Shiftable(tx)
	for _, g := range a.Groups.Shiftable(tx) { // a group has its ARN where its shifts have a cluster's id
		all = append(all, arczonalshift.Resource{ARN: g.ARN, Name: g.Name, ClusterID: g.ARN})
	}
	for _, b := range elb.Shiftable(tx) {
		all = append(all, arczonalshift.Resource{ARN: b.ARN, Name: b.Name, ClusterID: b.ARN})
	}
	return all
}

// managed is what can be shifted, with ARC's names of its kinds.
func (a Acting) managed(tx *state.Txn) (all []fis.Shiftable) {
	for _, one := range a.shiftable(tx) {
		kind := "EKS"
		switch {
		case strings.Contains(one.ARN, ":autoscaling:"):
			kind = "ASG"
		case strings.Contains(one.ARN, ":loadbalancer/app/"):
			kind = "ALB"
		case strings.Contains(one.ARN, ":loadbalancer/net/"):
			kind = "NLB"
		}
		all = append(all, fis.Shiftable{ARN: one.ARN, ID: one.ClusterID, Type: kind,
			AutoshiftStatus: arczonalshift.AutoshiftStatus(tx, one.ClusterID)})
	}
	return all
}

// Services are all AWS services, in the order of docs/operations.md. This is the only list of them: what is routed,
// authorized, counted, throttled, written to the history and documented is what stands here.
func (b Backend) Services() []operation.Service {
	acting := b.Acting()
	pods := &eksauth.Service{Region: b.Region, AccountID: b.AccountID, State: b.State, Now: b.Now}
	tokens := &sts.Service{State: b.State, Now: b.Now, Issuers: iam.Issuers{Hosts: b.IssuerHosts}}
	identities := &iamapi.Service{State: b.State, AccountID: b.AccountID, Quotas: b.Quotas, Now: b.Now}
	keys := &kms.Service{Region: b.Region, AccountID: b.AccountID, State: b.State, Now: b.Now}
	lines := &logs.Service{Region: b.Region, AccountID: b.AccountID, State: b.State, Events: b.logEvents(), Keys: keys,
		Background: b.Background, Now: b.Now}
	shifts := &arczonalshift.Service{State: b.State, VPC: acting.Network.VPC, Resources: acting.shiftable, Now: b.Now}
	values := &ssm.Service{Region: b.Region, AccountID: b.AccountID, State: b.State, Keys: keys, Now: b.Now}
	mail := &sqs.Service{Region: b.Region, AccountID: b.AccountID, State: b.State, Now: b.Now}
	bus := &events.Service{Region: b.Region, AccountID: b.AccountID, State: b.State, Now: b.Now}
	balancers := &elb.Service{State: b.State, Network: acting.Network, Carried: b.Carried, Now: b.Now}
	certificates := &acm.Service{Region: b.Region, AccountID: b.AccountID, State: b.State, Now: b.Now}
	files := &efs.Service{Region: b.Region, AccountID: b.AccountID, State: b.State, Network: acting.Network, Keys: keys, Now: b.Now}
	prices := &pricing.Service{Region: b.Region}
	return []operation.Service{
		acting.Clusters.Listing(),
		pods.Listing(),
		tokens.Listing(),
		identities.Listing(),
		acting.Network.Listing(),
		keys.Listing(),
		lines.Listing(),
		balancers.Listing(),
		certificates.Listing(),
		files.Listing(),
		acting.Groups.Listing(),
		shifts.Listing(),
		values.Listing(),
		mail.Listing(),
		bus.Listing(),
		prices.Listing(),
		acting.Alarms.Listing(),
		acting.Experiments.Listing(),
	}
}
