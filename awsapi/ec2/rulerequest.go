package ec2

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// permissionInput is a set of rules as calls give it: each range and each group is a rule.
type permissionInput struct {
	Protocol string           `ec2:"IpProtocol"`
	FromPort *int             `ec2:"FromPort"`
	ToPort   *int             `ec2:"ToPort"`
	Ranges   []rangeInput     `ec2:"IpRanges"`
	Ranges6  []range6Input    `ec2:"Ipv6Ranges"`
	Groups   []groupPairInput `ec2:"Groups"`
}

type rangeInput struct {
	CIDR        string `ec2:"CidrIp,required"`
	Description string `ec2:"Description"`
}

type range6Input struct {
	CIDR        string `ec2:"CidrIpv6,required"`
	Description string `ec2:"Description"`
}

type groupPairInput struct {
	GroupID     string `ec2:"GroupId,required"`
	UserID      string `ec2:"UserId"`
	VPCID       string `ec2:"VpcId"`
	Description string `ec2:"Description"`
}

// protocols are the names that EC2 gives to protocols' numbers.
var protocols = map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}

// rules are the permission's rules, without ids.
func (p permissionInput) rules(egress bool) ([]rule, error) {
	base := rule{Egress: egress, Protocol: strings.ToLower(p.Protocol)}
	if name := protocols[base.Protocol]; name != "" {
		base.Protocol = name
	}
	var err error
	if base.FromPort, base.ToPort, err = p.ports(base.Protocol); err != nil {
		return nil, err
	}
	var all []rule
	add := func(description string, set func(r *rule)) error {
		if err := checkRuleDescription(description); err != nil {
			return err
		}
		r := base
		r.Description = description
		set(&r)
		all = append(all, r)
		return nil
	}
	for _, one := range p.Ranges {
		block, err := ruleBlock(one.CIDR, isIPv4)
		if err != nil {
			return nil, err
		}
		if err := add(one.Description, func(r *rule) { r.CIDR = block }); err != nil {
			return nil, err
		}
	}
	for _, one := range p.Ranges6 {
		block, err := ruleBlock(one.CIDR, isIPv6)
		if err != nil {
			return nil, err
		}
		if err := add(one.Description, func(r *rule) { r.CIDR6 = block }); err != nil {
			return nil, err
		}
	}
	for _, one := range p.Groups {
		if err := groups.check(one.GroupID); err != nil {
			return nil, err
		}
		if err := add(one.Description, func(r *rule) { r.Group = one.GroupID }); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, refuse("MissingParameter", "A permission needs IpRanges, Ipv6Ranges or Groups: whom it lets through.")
	}
	return all, nil
}

// ports are the permission's ports, or ICMP type and code; -1 is all of them.
func (p permissionInput) ports(protocol string) (from, to int, err error) {
	switch protocol {
	case "tcp", "udp":
		if p.FromPort == nil || p.ToPort == nil {
			return 0, 0, refuse("InvalidParameterValue", "FromPort and ToPort must be given for %s.", protocol)
		}
		if *p.FromPort < 0 || *p.ToPort > 65535 || *p.FromPort > *p.ToPort {
			return 0, 0, refuse("InvalidParameterValue", "Invalid ports %d to %d: they must be between 0 and 65535, the "+
				"lower one first.", *p.FromPort, *p.ToPort)
		}
		return *p.FromPort, *p.ToPort, nil
	case "icmp", "icmpv6":
		from, to = portOr(p.FromPort, -1), portOr(p.ToPort, -1)
		if min(from, to) < -1 || max(from, to) > 255 {
			return 0, 0, refuse("InvalidParameterValue", "Invalid ICMP type %d or code %d: they must be between -1, which "+
				"is all, and 255.", from, to)
		}
		return from, to, nil
	}
	if number, err := strconv.Atoi(protocol); err != nil || number < -1 || number > 255 ||
		strconv.Itoa(number) != protocol {
		return 0, 0, refuse("InvalidParameterValue", "Invalid value '%s' for IP protocol: use tcp, udp, icmp, icmpv6, a "+
			"number, or -1 for all.", clip(protocol))
	}
	return -1, -1, nil // other protocols have no ports: EC2 ignores what is given
}

func portOr(port *int, fallback int) int {
	if port == nil {
		return fallback
	}
	return *port
}

// ruleBlock is a range in its canonical form.
func ruleBlock(text string, family func(netip.Addr) bool) (string, error) {
	block, err := netip.ParsePrefix(text)
	if err != nil || !family(block.Addr()) {
		return "", refuse("InvalidParameterValue", "CIDR block %s is malformed", clip(text))
	}
	return block.Masked().String(), nil
}

func checkRuleDescription(text string) error {
	if len(text) > 255 || strings.ContainsFunc(text, func(r rune) bool { return !allowedInDescription(r) }) {
		return refuse("InvalidParameterValue", "Invalid rule description. Valid descriptions are strings less than 256 "+
			"characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
	}
	return nil
}

func isIPv4(a netip.Addr) bool { return a.Is4() }
func isIPv6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() }

func allowedInDescription(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune(". _-:/()#,@[]+=&;{}!$*", r)
}

// same says whether two rules let the same through: their descriptions do not matter.
func (r rule) same(other rule) bool {
	r.ID, r.Description, other.ID, other.Description = "", "", "", ""
	return r == other
}

// words are the rule as EC2 writes it in errors.
func (r rule) words() string {
	peer, protocol := cmp.Or(r.CIDR, r.CIDR6, r.Group), strings.ToUpper(r.Protocol)
	if r.Protocol == "-1" {
		protocol = "ALL"
	}
	if r.FromPort < 0 {
		return fmt.Sprintf(`"peer: %s, %s, ALLOW"`, peer, protocol)
	}
	return fmt.Sprintf(`"peer: %s, %s, from port: %d, to port: %d, ALLOW"`, peer, protocol, r.FromPort, r.ToPort)
}
