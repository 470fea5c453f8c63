package awsapi

import (
	"fmt"
	"testing"

	"tripod/iam"
)

func TestPrincipalsAreLabelsByRoleAndOnlySoMany(t *testing.T) {
	p := &principals{}
	for _, c := range []struct {
		is   iam.Principal
		want string
	}{
		{iam.Principal{}, "none"},
		{iam.Principal{ARN: "arn:aws:iam::111122223333:user/team/jo"}, "user/team/jo"},
		{iam.Principal{ARN: "arn:aws:iam::111122223333:root"}, "root"},
		{iam.Principal{ARN: "arn:aws:sts::111122223333:assumed-role/node/i-1", IssuerARN: "arn:aws:iam::111122223333:role/node"}, "role/node"},
		{iam.Principal{ARN: "arn:aws:sts::111122223333:assumed-role/x/y", Service: "eks.amazonaws.com"}, "eks.amazonaws.com"},
	} {
		if got := p.label(c.is); got != c.want {
			t.Errorf("%+v is %q, want %q", c.is, got, c.want)
		}
	}
	for i := range 2 * mostPrincipals {
		p.label(iam.Principal{ARN: fmt.Sprintf("arn:aws:iam::111122223333:user/u%d", i)})
	}
	if got := p.label(iam.Principal{ARN: "arn:aws:iam::111122223333:user/late"}); got != "other" || len(p.seen) != mostPrincipals {
		t.Errorf("a late one is %q, and %d have a label", got, len(p.seen))
	}
}
