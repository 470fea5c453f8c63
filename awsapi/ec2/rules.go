package ec2

// rule is one rule of a security group: to or from a range of addresses, or the members of a group.
type rule struct {
	ID          string
	Egress      bool
	Protocol    string // tcp, udp, icmp, icmpv6, a number, or -1 for all
	FromPort    int
	ToPort      int
	CIDR        string
	CIDR6       string
	Group       string
	Description string
}

// permission are the rules of a group that have protocol and ports in common, as DescribeSecurityGroups shows them.
type permission struct {
	Protocol   string          `xml:"ipProtocol"`
	FromPort   *int            `xml:"fromPort"`
	ToPort     *int            `xml:"toPort"`
	Groups     list[groupPair] `xml:"groups"`
	Ranges     list[ipRange]   `xml:"ipRanges"`
	Ranges6    list[ip6Range]  `xml:"ipv6Ranges"`
	PrefixList list[struct{}]  `xml:"prefixListIds"`
}

type groupPair struct {
	UserID      string `xml:"userId"`
	GroupID     string `xml:"groupId"`
	Description string `xml:"description,omitempty"`

	GroupName string `xml:"-" filter:"groupName"`
}

type ipRange struct {
	CIDR        string `xml:"cidrIp"`
	Description string `xml:"description,omitempty"`
}

type ip6Range struct {
	CIDR        string `xml:"cidrIpv6"`
	Description string `xml:"description,omitempty"`
}

// permissions are a group's rules of one direction, put together by protocol and ports in the order of their first
// rules. names tells groups' names.
func (s *Service) permissions(g securityGroup, egress bool, names func(groupID string) string) []permission {
	type key struct {
		protocol string
		from, to int
	}
	var all []permission
	places := map[key]int{}
	for _, r := range g.Rules {
		if r.Egress != egress {
			continue
		}
		k := key{r.Protocol, r.FromPort, r.ToPort}
		at, found := places[k]
		if !found {
			at = len(all)
			places[k] = at
			p := permission{Protocol: r.Protocol}
			if r.Protocol != "-1" { // all protocols have no ports
				p.FromPort, p.ToPort = &r.FromPort, &r.ToPort
			}
			all = append(all, p)
		}
		p := &all[at]
		switch {
		case r.Group != "":
			p.Groups = append(p.Groups, groupPair{s.VPC.AccountID, r.Group, r.Description, names(r.Group)})
		case r.CIDR6 != "":
			p.Ranges6 = append(p.Ranges6, ip6Range{r.CIDR6, r.Description})
		default:
			p.Ranges = append(p.Ranges, ipRange{r.CIDR, r.Description})
		}
	}
	return all
}
