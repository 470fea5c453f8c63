package az

import (
	"context"
	"maps"
	"os"
	"path/filepath"

	"tripod/apiserver/launch"
	"tripod/az/gateway"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// followState does at every change of the regional state what the cluster's part here has to follow at once, until ctx ends.
func (c *clusterZone) followState(ctx context.Context) {
	changes, end := c.zone.voter.Watch()
	defer end()
	for ctx.Err() == nil {
		if c.readState() {
			if err := c.launchOptions("apiserver").WriteAuthentication(); err != nil {
				c.zone.logger.Error("write the identity provider's file", "cluster", c.record.Name, "error", err)
			}
		}
		select {
		case <-changes:
		case <-ctx.Done():
		}
	}
}

// readState notes the cluster's identity provider, and says whether it is another one than before.
func (c *clusterZone) readState() (changed bool) {
	var found *region.IdentityProvider
	err := c.zone.voter.View(func(tx *state.Txn) error {
		for _, p := range region.IdentityProviders.Part(c.record.ID+"/").After(tx, "") {
			found = &p
		}
		return nil
	})
	if err != nil {
		return false // what was known is better than nothing
	}
	before := c.provider.Swap(found)
	if before == nil || found == nil {
		return before != found
	}
	return before.ARN != found.ARN // a provider is never changed, only replaced
}

// launchProvider is the provider as an API server is told of it.
func (c *clusterZone) launchProvider() *launch.Provider {
	p := c.provider.Load()
	if p == nil {
		return nil
	}
	told := &launch.Provider{
		IssuerURL: p.IssuerURL, ClientID: p.ClientID, UsernameClaim: p.UsernameClaim, UsernamePrefix: p.UsernamePrefix,
		GroupsClaim: p.GroupsClaim, GroupsPrefix: p.GroupsPrefix, RequiredClaims: maps.Clone(p.RequiredClaims),
	}
	if host, port := gateway.IssuerAddress(p.IssuerURL); port == c.zone.config.AWSPort && iam.OnLoopback(host) { // another cluster of the region
		if text, err := os.ReadFile(filepath.Join(c.zone.config.PKI, "region-ca.crt")); err == nil {
			told.CertificateAuthority = string(text)
		}
	}
	return told
}
