package region

import (
	"encoding/json"
	"time"

	"tripod/state"
)

// BalancerType is what kind of load balancer one is.
type BalancerType string

// The types of load balancers: three of the API of 2015, and those of the API of 2012, which calls them by no name.
const (
	ApplicationBalancer BalancerType = "application"
	NetworkBalancer     BalancerType = "network"
	GatewayBalancer     BalancerType = "gateway"
	ClassicBalancer     BalancerType = "classic"
)

// The schemes of load balancers.
const (
	SchemeInternetFacing = "internet-facing"
	SchemeInternal       = "internal"
)

// LoadBalancer is a load balancer of Elastic Load Balancing, whatever its type. What it listens to are its Listeners, or
// for a classic one Classic.Listeners.
type LoadBalancer struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
	// ID is the last part of the ARN, 16 hex digits; a classic one's ARN does not have it.
	ID        string       `json:"id"`
	Type      BalancerType `json:"type"`
	Scheme    string       `json:"scheme"`
	DNSName   string       `json:"dnsName"` // see BalancerDNSName
	CreatedAt time.Time    `json:"createdAt"`

	VPC string `json:"vpc"`
	// Zones are those that it has a node in, by one subnet each, in the order of their names.
	Zones          []BalancerZone `json:"zones,omitempty"`
	SecurityGroups []string       `json:"securityGroups,omitempty"`
	// IPAddressType is ipv4, dualstack or dualstack-without-public-ipv4; a classic one has none.
	IPAddressType string `json:"ipAddressType,omitempty"`

	State       BalancerState `json:"state"` // see balancing_states.go
	StateReason string        `json:"stateReason,omitempty"`

	// Attributes are those that were set, by the API's names, such as idle_timeout.timeout_seconds. A classic one's have
	// the names of the other API as far as that has them too: see BalancerDefaults.
	Attributes map[string]string `json:"attributes,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`

	// PrivateLinkInbound is on or off: whether a network one's security groups count for traffic by PrivateLink.
	PrivateLinkInbound string `json:"privateLinkInbound,omitempty"`
	// MinimumCapacity is how many capacity units were asked for; nil: none.
	MinimumCapacity *CapacityReservation `json:"minimumCapacity,omitempty"`

	// Classic is what only classic ones have.
	Classic *ClassicParts `json:"classic,omitempty"`
}

// BalancerZone is a load balancer's place in a zone.
type BalancerZone struct {
	Zone     string `json:"zone"`
	SubnetID string `json:"subnetId"`
	// AllocationID is the Elastic IP address's whose owner gave it, and PrivateAddress the one in the subnet that was
	// asked for; network load balancers alone take them. NodeAddress is the address that the node has in its subnet where that
	// is none of these, and does not follow from the ARN.
	AllocationID   string `json:"allocationId,omitempty"`
	PublicAddress  string `json:"publicAddress,omitempty"`
	PrivateAddress string `json:"privateAddress,omitempty"`
	NodeAddress    string `json:"nodeAddress,omitempty"`
	IPv6Address    string `json:"ipv6Address,omitempty"`
}

// CapacityReservation is the capacity that a load balancer is to have at least.
type CapacityReservation struct {
	Units     int       `json:"units"`
	ChangedAt time.Time `json:"changedAt"`
}

// ClassicParts are what only a classic load balancer has. Its instances are Targets of the group that ClassicGroup names,
// with port 0: each listener has its own instance port.
type ClassicParts struct {
	Listeners []ClassicListener `json:"listeners,omitempty"`
	// Policies are those that were made; Listeners and Backends name the ones that are in force.
	Policies []ClassicPolicy  `json:"policies,omitempty"`
	Backends []ClassicBackend `json:"backends,omitempty"`
	Check    HealthCheck      `json:"check"`
	// SourceGroup is the name of its security group that backends may let in.
	SourceGroup string `json:"sourceGroup,omitempty"`
}

// certificates are the ARNs of its listeners'.
func (p *ClassicParts) certificates() (arns []string) {
	if p == nil {
		return nil
	}
	for _, l := range p.Listeners {
		arns = append(arns, unlessEmpty(l.Certificate)...)
	}
	return distinct(arns)
}

// ClassicListener is a port of a classic load balancer.
type ClassicListener struct {
	Protocol         string   `json:"protocol"` // HTTP, HTTPS, TCP or SSL
	Port             int      `json:"port"`
	InstanceProtocol string   `json:"instanceProtocol"`
	InstancePort     int      `json:"instancePort"`
	Certificate      string   `json:"certificate,omitempty"` // an ARN
	Policies         []string `json:"policies,omitempty"`    // their names
}

// ClassicPolicy is a policy of a classic load balancer.
type ClassicPolicy struct {
	Name string `json:"name"`
	// Type is LBCookieStickinessPolicyType, AppCookieStickinessPolicyType, ProxyProtocolPolicyType,
	// SSLNegotiationPolicyType, PublicKeyPolicyType or BackendServerAuthenticationPolicyType.
	Type       string            `json:"type"`
	Attributes []PolicyAttribute `json:"attributes,omitempty"`
}

// PolicyAttribute is a setting of a classic policy, such as CookieExpirationPeriod, CookieName or ProxyProtocol.
type PolicyAttribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ClassicBackend says which policies are in force towards an instance port.
type ClassicBackend struct {
	InstancePort int      `json:"instancePort"`
	Policies     []string `json:"policies"`
}

// Listener is a port of an application or network load balancer.
type Listener struct {
	ARN          string `json:"arn"`
	LoadBalancer string `json:"loadBalancer"` // its ARN
	// Protocol is HTTP, HTTPS, TCP, TLS, UDP, TCP_UDP, QUIC, TCP_QUIC or, of a gateway load balancer with port 0, GENEVE.
	Protocol string `json:"protocol"`
	Port     int    `json:"port"`
	// Certificates are ARNs of ACM or IAM: the default one first, then those that clients choose by SNI.
	Certificates []string `json:"certificates,omitempty"`
	SSLPolicy    string   `json:"sslPolicy,omitempty"`
	ALPN         string   `json:"alpn,omitempty"` // such as HTTP2Preferred
	// Actions are what happens where no rule applies: those of the default rule.
	Actions    []RuleAction      `json:"actions"`
	Mutual     *MutualTLS        `json:"mutual,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"` // those that were set
	Tags       map[string]string `json:"tags,omitempty"`
	CreatedAt  time.Time         `json:"createdAt"`
}

// MutualTLS says whether clients show a certificate.
type MutualTLS struct {
	Mode         string `json:"mode"` // off, passthrough or verify
	TrustStore   string `json:"trustStore,omitempty"`
	IgnoreExpiry *bool  `json:"ignoreExpiry,omitempty"`
	AdvertiseCAs string `json:"advertiseCas,omitempty"` // on or off
}

// ListenerRule is a rule of an application load balancer's listener. Of those whose conditions all hold the one with the
// lowest priority applies.
type ListenerRule struct {
	ARN        string            `json:"arn"`
	Listener   string            `json:"listener"` // its ARN
	Priority   int               `json:"priority"` // 1 to 50000
	Conditions []RuleCondition   `json:"conditions"`
	Actions    []RuleAction      `json:"actions"`
	Transforms []RuleTransform   `json:"transforms,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	CreatedAt  time.Time         `json:"createdAt"`
}

// RuleCondition holds where one of its values fits.
type RuleCondition struct {
	// Field is host-header, path-pattern, http-header, query-string, http-request-method or source-ip.
	Field  string      `json:"field"`
	Header string      `json:"header,omitempty"` // the name of an http-header
	Values []string    `json:"values,omitempty"` // with the wildcards * and ?; of source-ip CIDRs
	Regex  []string    `json:"regex,omitempty"`  // instead of Values, of host-header, path-pattern and http-header
	Query  []QueryPair `json:"query,omitempty"`  // of query-string
}

// QueryPair is what a query string has; without a key any key will do.
type QueryPair struct {
	Key   string `json:"key,omitempty"`
	Value string `json:"value"`
}

// RuleTransform changes a request before it goes to a target.
type RuleTransform struct {
	Type     string    `json:"type"` // host-header-rewrite or url-rewrite
	Rewrites []Rewrite `json:"rewrites"`
}

// Rewrite replaces what a regular expression finds.
type Rewrite struct {
	Regex   string `json:"regex"`
	Replace string `json:"replace"`
}

// The types of actions. The last of a rule's is one of the first three.
const (
	ActionForward       = "forward"
	ActionRedirect      = "redirect"
	ActionFixedResponse = "fixed-response"
	ActionOIDC          = "authenticate-oidc"
	ActionCognito       = "authenticate-cognito"
	ActionJWT           = "jwt-validation"
)

// RuleAction is what is done with a request or a connection; in the order of Order.
type RuleAction struct {
	Type     string          `json:"type"`
	Order    int             `json:"order,omitempty"`
	Forward  *ForwardAction  `json:"forward,omitempty"`
	Redirect *RedirectAction `json:"redirect,omitempty"`
	Fixed    *FixedResponse  `json:"fixed,omitempty"`
	// Authenticate is the configuration of the other types in the API's form, without secrets: it is recorded only.
	Authenticate json.RawMessage `json:"authenticate,omitempty"`
}

// ForwardAction sends to one of its groups, by their weights.
type ForwardAction struct {
	Groups []WeightedGroup `json:"groups"`
	// StickySeconds is for how long a client stays with the group that it got; 0: it does not.
	StickySeconds int `json:"stickySeconds,omitempty"`
}

// WeightedGroup is a target group and its part of the traffic, 0 to 999.
type WeightedGroup struct {
	TargetGroup string `json:"targetGroup"` // its ARN
	Weight      int    `json:"weight"`
}

// RedirectAction answers with another URL, whose parts may have #{protocol}, #{host}, #{port}, #{path} and #{query} in
// them.
type RedirectAction struct {
	Protocol string `json:"protocol"`
	Port     string `json:"port"`
	Host     string `json:"host"`
	Path     string `json:"path"`
	Query    string `json:"query"`
	Status   int    `json:"status"` // 301 or 302
}

// FixedResponse is an answer of the load balancer's own.
type FixedResponse struct {
	Status      int    `json:"status"`
	ContentType string `json:"contentType,omitempty"`
	Body        string `json:"body,omitempty"`
}

// TargetGroup is where application and network load balancers send to. Its targets are its Targets.
type TargetGroup struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
	// Type is instance, ip, lambda or alb.
	Type     string `json:"type"`
	Protocol string `json:"protocol,omitempty"` // HTTP, HTTPS, TCP, TLS, UDP, TCP_UDP, QUIC, TCP_QUIC, GENEVE; none: lambda
	// Version is HTTP1, HTTP2 or GRPC, of HTTP and HTTPS.
	Version       string `json:"version,omitempty"`
	Port          int    `json:"port,omitempty"` // of targets that have none of their own
	ControlPort   int    `json:"controlPort,omitempty"`
	VPC           string `json:"vpc,omitempty"`
	IPAddressType string `json:"ipAddressType,omitempty"` // ipv4 or ipv6

	Check      HealthCheck       `json:"check"`
	Attributes map[string]string `json:"attributes,omitempty"` // those that were set: see TargetGroupAttribute
	Tags       map[string]string `json:"tags,omitempty"`
	CreatedAt  time.Time         `json:"createdAt"`
}

// HealthCheck is how targets are checked.
type HealthCheck struct {
	Enabled  bool   `json:"enabled"`
	Protocol string `json:"protocol"`       // HTTP, HTTPS, TCP; classic ones SSL too
	Port     string `json:"port"`           // a number, or traffic-port
	Path     string `json:"path,omitempty"` // of HTTP and HTTPS
	// Codes are those of a healthy answer, such as 200,202 or 200-399: HTTP's, or with the version GRPC those of gRPC.
	Codes     string `json:"codes,omitempty"`
	Interval  int    `json:"interval"` // seconds, as Timeout
	Timeout   int    `json:"timeout"`
	Healthy   int    `json:"healthy"` // how many checks in a row it takes
	Unhealthy int    `json:"unhealthy"`
}

// Target is something registered with a target group or, as an instance, with a classic load balancer.
type Target struct {
	// Group is the target group's name, or what ClassicGroup makes.
	Group string `json:"group"`
	// ID is an instance's id, an address, or the ARN of a function or an application load balancer.
	ID   string `json:"id"`
	Port int    `json:"port,omitempty"` // 0: that of each listener of a classic load balancer; a function has none
	// Zone is that of an instance or address; all for addresses outside of the VPC.
	Zone         string    `json:"zone,omitempty"`
	QuicServerID string    `json:"quicServerId,omitempty"`
	RegisteredAt time.Time `json:"registeredAt"`
	// DrainingSince and DrainsUntil are set once it is deregistered: it gets nothing new, and goes at the second.
	DrainingSince time.Time `json:"drainingSince,omitzero"`
	DrainsUntil   time.Time `json:"drainsUntil,omitzero"`
}

// TargetReport is what the load balancers' nodes of one zone find a target to be. The data plane writes it, and nobody
// else; of a group that no load balancer uses there is none.
type TargetReport struct {
	Group string       `json:"group"`
	ID    string       `json:"id"`
	Port  int          `json:"port,omitempty"`
	Zone  string       `json:"zone"` // the nodes'
	State TargetHealth `json:"state"`
	// Reason and Description are as DescribeTargetHealth shows them; see the constants in balancing_states.go.
	Reason      string    `json:"reason,omitempty"`
	Description string    `json:"description,omitempty"`
	Since       time.Time `json:"since"`
}

// The tables of load balancers.
var (
	LoadBalancers = state.NewTable[LoadBalancer]("load-balancer") // by BalancerKey
	Listeners     = state.NewTable[Listener]("listener")          // by ListenerKey: those of one begin with its path
	ListenerRules = state.NewTable[ListenerRule]("listener-rule") // by ListenerKey + "/" and the rule's ID
	TargetGroups  = state.NewTable[TargetGroup]("target-group")   // by Name
	Targets       = state.NewTable[Target]("target")              // by Key: those of a group begin with its name and "/"
	TargetReports = state.NewTable[TargetReport]("target-report") // by Key: those of a target begin with its key and "/"
)
