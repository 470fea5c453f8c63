package region

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// BalancerDNSName is the name of a load balancer: AWS's, but below localhost, which resolves to loopback in browsers and
// in curl. Application and classic ones have digits behind their name, network ones their ID.
func BalancerDNSName(kind BalancerType, scheme, name, id, regionName string) string {
	switch kind {
	case NetworkBalancer, GatewayBalancer:
		return name + "-" + id + ".elb." + regionName + ".localhost"
	}
	sum := sha256.Sum256([]byte(name + "/" + id))
	digits := strconv.Itoa(1_000_000_000 + int(binary.BigEndian.Uint32(sum[:])%1_000_000_000))
	if scheme == SchemeInternal {
		name = "internal-" + name
	}
	return name + "-" + digits + "." + regionName + ".elb.localhost"
}

// ZonalDNSName is the name of a load balancer's node in a zone.
func (b LoadBalancer) ZonalDNSName(zone string) string { return zone + "." + b.DNSName }

// Path is the part of a load balancer's ARN that names it: app/NAME/ID, net/NAME/ID, or of a classic one NAME. ARNs of its
// listeners and rules have it, too.
func (b LoadBalancer) Path() string { return afterKind(b.ARN, "loadbalancer/") }

// Key is the load balancer's in LoadBalancers.
func (b LoadBalancer) Key() string { return BalancerKey(b.Type == ClassicBalancer, b.Name) }

// BalancerKey is that of a load balancer: names are unique within each of the two APIs, whatever the type.
func BalancerKey(classic bool, name string) string {
	if classic {
		return "classic/" + name
	}
	return "v2/" + name
}

// balancerNameIn is the name in the path of a load balancer's ARN, and which API's it is; empty where there is none.
func balancerNameIn(path string) (name string, classic bool) {
	kind, rest, found := strings.Cut(path, "/")
	if !found {
		return path, true
	}
	name, id, _ := strings.Cut(rest, "/")
	if !slices.Contains([]string{"app", "net", "gwy"}, kind) || id == "" {
		return "", false
	}
	return name, false
}

// ClassicGroup is the Group of a classic load balancer's Targets. No target group has a name with a colon.
func ClassicGroup(name string) string { return "classic:" + name }

// ListenerKey is the key of the listener, or of the rule, with that ARN; empty where the ARN is of something else.
func ListenerKey(arn string) string {
	if key := afterKind(arn, "listener/"); key != "" {
		return key
	}
	return afterKind(arn, "listener-rule/")
}

// Key is the listener's.
func (l Listener) Key() string { return ListenerKey(l.ARN) }

// DefaultRuleARN is that of the rule which is the listener's own actions. It is in no table.
func (l Listener) DefaultRuleARN() string {
	sum := sha256.Sum256([]byte(l.ARN))
	return strings.Replace(l.ARN, ":listener/", ":listener-rule/", 1) + "/" + hex.EncodeToString(sum[:8])
}

// Key is the rule's.
func (r ListenerRule) Key() string { return ListenerKey(r.ARN) }

// TargetGroupName is the name, and key, of the target group with that ARN; empty where the ARN is of something else.
func TargetGroupName(arn string) string {
	name, _, _ := strings.Cut(afterKind(arn, "targetgroup/"), "/")
	return name
}

// Key is the target's.
func (t Target) Key() string { return TargetKey(t.Group, t.ID, t.Port) }

// TargetKey is that of a target. IDs have slashes in an ARN's, which no other target's ID continues.
func TargetKey(group, id string, port int) string { return group + "/" + id + "|" + strconv.Itoa(port) }

// Key is the report's.
func (r TargetReport) Key() string { return TargetKey(r.Group, r.ID, r.Port) + "/" + r.Zone }

// afterKind is what follows in an ARN of Elastic Load Balancing where its resource begins as said; else empty.
func afterKind(arn, kind string) string {
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) < 6 || fields[2] != "elasticloadbalancing" {
		return ""
	}
	rest, found := strings.CutPrefix(fields[5], kind)
	if !found {
		return ""
	}
	return rest
}
