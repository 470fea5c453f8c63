package region

import (
	"testing"
	"time"
)

func TestAuthoritiesComeAndGo(t *testing.T) {
	c := Cluster{CreatedAt: time.Unix(1, 0), Secrets: ClusterSecrets{CACert: "first;", CAKey: "key"}}
	first := c.CertificateAuthorities()[0]
	again := c.CertificateAuthorities()[0]
	if again.ID != first.ID || len(first.ID) != 36 || c.BundleOf(c.Components) != "first;" ||
		c.SignerOf(c.Components).Key != "key" {
		t.Errorf("got %+v and %+v", first, again)
	}
	step := func(next Components) {
		before := c.Components
		c.Components = next
		c.Forget(before, time.Unix(2, 0))
	}
	c.Authorities = append(c.CertificateAuthorities(), Authority{ID: "second", Cert: "second;"})
	if got := c.BundleOf(c.Components); got != "first;" {
		t.Errorf("before it is rolled out, %s is trusted", got)
	}
	step(Components{Signer: first.ID, Trusted: []string{first.ID, "second"}})
	signs := func() string { return c.SignerOf(c.Components).ID }
	if got := c.BundleOf(c.Components); got != "first;second;" || signs() != first.ID ||
		c.Authorities[1].ActivatedAt != nil {
		t.Errorf("with two: bundle %s, %+v", got, c.Authorities)
	}
	step(Components{Signer: "second", Trusted: []string{first.ID, "second"}})
	if a, _ := c.AuthorityOf("second"); a.ActivatedBy != "CUSTOMER" || a.ActivatedAt == nil || signs() != "second" {
		t.Errorf("activated: %+v", a)
	}
	step(Components{Signer: "second", Trusted: []string{"second"}})
	if got := c.BundleOf(c.Components); got != "second;" || len(c.Authorities) != 1 {
		t.Errorf("with the second alone: bundle %s, %+v", got, c.Authorities)
	}
}
