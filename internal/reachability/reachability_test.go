package reachability

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
)

func block(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// openACL lets everything through, as a VPC's default one does.
func openACL() *ACL {
	a := &ACL{ID: "acl-1"}
	for _, egress := range []bool{false, true} {
		a.Entries = append(a.Entries, ACLEntry{Number: 32767, Egress: egress, Protocol: "-1", Block: block("0.0.0.0/0")},
			ACLEntry{Number: 100, Egress: egress, Allow: true, Protocol: "-1", Block: block("0.0.0.0/0")})
	}
	a.Sort()
	return a
}

func subnet(id, cidr string) *Subnet {
	return &Subnet{ID: id, VPC: "vpc-1", Block: block(cidr), ACL: openACL(), TableID: "rtb-1",
		Routes: []Route{{Block: block("10.0.0.0/16"), Target: "local"}, {Block: block("0.0.0.0/0"), Target: "igw-1"}}}
}

// openInside is a group as EKS makes them.
func openInside(id string) *Group {
	return &Group{ID: id, Rules: []Rule{{ID: "out-" + id, Egress: true, Protocol: "-1", Block: block("0.0.0.0/0")},
		{ID: "in-" + id, Protocol: "-1", Group: id}}}
}

// connection is between two subnets, to port 8080, between members of one group.
func connection() Connection {
	g := openInside("sg-1")
	return Connection{Protocol: "tcp", Port: 8080, Source: 40000,
		From: End{Name: "pod web/a", Address: netip.MustParseAddr("10.0.0.20"), Subnet: subnet("subnet-a", "10.0.0.0/19"), Groups: []*Group{g}},
		To:   End{Name: "pod web/b", Address: netip.MustParseAddr("10.0.32.20"), Subnet: subnet("subnet-b", "10.0.32.0/19"), Groups: []*Group{g}}}
}

func TestMembersOfOneGroupReachEachOther(t *testing.T) {
	c := connection()
	if err := Check(c); err != nil {
		t.Fatal(err)
	}
	var met []string
	for _, s := range Explain(c) {
		met = append(met, s.Component+" "+s.ID+" "+s.Rule)
	}
	want := []string{"security-group sg-1 out-sg-1", "network-acl acl-1 100", "network-acl acl-1 100", "route-table rtb-1 10.0.0.0/16",
		"route-table rtb-1 10.0.0.0/16", "security-group sg-1 in-sg-1", "network-acl acl-1 100", "network-acl acl-1 100"}
	if !slices.Equal(met, want) {
		t.Errorf("got %q, want %q", met, want)
	}
	c.To.Subnet = c.From.Subnet
	if got := len(Explain(c)); got != 3 {
		t.Errorf("within a subnet %d things are met, want no ACL and one route", got)
	}
}

// TestWhatDoesNotPassIsSaid: each is one change of a connection that passes.
func TestWhatDoesNotPassIsSaid(t *testing.T) {
	deny := func(number int, egress bool, from, to int) ACLEntry {
		return ACLEntry{Number: number, Egress: egress, Protocol: "6", From: from, To: to, Block: block("0.0.0.0/0")}
	}
	for name, c := range map[string]struct {
		change   func(c *Connection)
		code     string
		sentence string
	}{
		"no outbound rule": {func(c *Connection) { c.From.Groups = []*Group{{ID: "sg-2", Name: "closed"}} }, CodeGroups,
			"security group sg-2 (closed) of pod web/a has no outbound rule that allows tcp 8080 to pod web/b (10.0.32.20)"},
		"no inbound rule": {func(c *Connection) { c.To.Groups = []*Group{openInside("sg-3")} }, CodeGroups,
			"security group sg-3 of pod web/b has no inbound rule that allows tcp 8080 from pod web/a (10.0.0.20)"},
		"two groups": {func(c *Connection) { c.To.Groups = []*Group{openInside("sg-3"), openInside("sg-4")} }, CodeGroups,
			"no rule of the security groups sg-3, sg-4 of pod web/b allows, inbound, tcp 8080 from pod web/a (10.0.0.20)"},
		"another port": {func(c *Connection) {
			c.To.Groups = []*Group{{ID: "sg-5", Rules: []Rule{{Protocol: "tcp", From: 80, To: 443, Block: block("10.0.0.0/8")}}}}
		}, CodeGroups, "security group sg-5 of pod web/b has no inbound rule that allows tcp 8080 from pod web/a (10.0.0.20)"},
		"an ACL's entry there": {func(c *Connection) {
			c.To.Subnet.ACL.Entries = append(c.To.Subnet.ACL.Entries, deny(90, false, 8080, 8080))
			c.To.Subnet.ACL.Sort()
		}, CodeACL, "inbound entry 90 of network ACL acl-1 denies tcp 8080 from 10.0.0.20 at subnet-b"},
		"an ACL's entry back": {func(c *Connection) {
			c.From.Subnet.ACL.Entries = append(c.From.Subnet.ACL.Entries, deny(90, false, 1024, 65535))
			c.From.Subnet.ACL.Sort()
		}, CodeACL, "inbound entry 90 of network ACL acl-1 denies tcp 40000 from 10.0.32.20 at subnet-a, the answers' way"},
		"a new ACL": {func(c *Connection) {
			c.To.Subnet.ACL = &ACL{ID: "acl-2", Entries: []ACLEntry{{Number: 32767, Protocol: "-1", Block: block("0.0.0.0/0")}}}
		}, CodeACL, "inbound entry * of network ACL acl-2 denies tcp 8080 from 10.0.0.20 at subnet-b"},
		"another VPC": {func(c *Connection) { c.To.Subnet.VPC, c.To.Groups = "vpc-2", nil }, CodeNoRoute,
			"route table rtb-1 of subnet-a sends 10.0.0.0/16 by local, where nothing leads on to pod web/b"},
		"a hole": {func(c *Connection) {
			c.From.Subnet.Routes = append(c.From.Subnet.Routes, Route{Block: block("10.0.32.0/24"), Target: "eni-1", Blackhole: true})
		}, CodeBadRoute, "route table rtb-1 of subnet-a sends 10.0.32.0/24 by eni-1, which is gone (blackhole)"},
		"no way back": {func(c *Connection) {
			c.From = End{Name: "the internet", Address: netip.MustParseAddr("203.0.113.9")}
			c.To.Groups[0].Rules[1] = Rule{Protocol: "-1", Block: block("0.0.0.0/0")}
			c.To.Subnet.Routes = c.To.Subnet.Routes[:1]
		}, CodeNoRoute, "route table rtb-1 of subnet-b has no route to 203.0.113.9, the answers' way"},
	} {
		t.Run(name, func(t *testing.T) {
			connection := connection()
			c.change(&connection)
			var refusal *Refusal
			if err := Check(connection); !errors.As(err, &refusal) {
				t.Fatalf("got %v", err)
			}
			if refusal.Code != c.code || refusal.Sentence != c.sentence {
				t.Errorf("got %s %q, want %s %q", refusal.Code, refusal.Sentence, c.code, c.sentence)
			}
		})
	}
}

// TestWhoHasNoGroupsIsNotFiltered: a network load balancer that was made without.
func TestWhoHasNoGroupsIsNotFiltered(t *testing.T) {
	c := connection()
	c.To.Groups = nil
	if err := Check(c); err != nil {
		t.Error(err)
	}
}

// TestTheMostSpecificRouteCounts: also where it is behind another one.
func TestTheMostSpecificRouteCounts(t *testing.T) {
	c := connection()
	c.To = End{Name: "the internet", Address: netip.MustParseAddr("198.51.100.1")}
	if err := Check(c); err != nil {
		t.Error(err)
	}
	c.From.Subnet.Routes = append(c.From.Subnet.Routes, Route{Block: block("198.51.100.0/24"), Target: "eni-9"})
	if err := Check(c); err == nil {
		t.Error("a route to an interface that forwards nothing was not taken")
	}
}
