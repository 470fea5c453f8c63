package eks

import (
	"fmt"
	"net/url"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

const (
	oidcType          = "oidc"
	maxRequiredClaims = 7
)

var identityProviders = shelf[region.IdentityProvider]{
	kind: "identityproviderconfig", table: region.IdentityProviders,
	label: func(p *region.IdentityProvider) label { return label{p.ClusterID, p.Name, p.ARN, &p.Tags} },
}

// oidcName is the name of a provider's configuration.
var oidcName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (s *Service) associateIdentityProviderConfig(call *operation.Call,
	in *eks.AssociateIdentityProviderConfigInput) (*eks.AssociateIdentityProviderConfigOutput, error) {
	t := target{cluster: aws.ToString(in.ClusterName)}
	return changeOf(s, call, t, mustBeActive, in.ClientRequestToken, in,
		func(c change) (*eks.AssociateIdentityProviderConfigOutput, string, error) {
			a := about{cluster: c.cluster.Name}
			if there := identityProviders.names(c.tx, c.cluster.ID); len(there) > 0 {
				return nil, "", a.inUse("Cluster already has an OIDC identity provider config associated: %s. "+
					"Disassociate it first.", there[0])
			}
			if wrong := wrongOIDC(in.Oidc); wrong != "" {
				return nil, "", a.invalidParameter("%s", wrong)
			}
			if *in.Oidc.IssuerUrl == c.cluster.Issuer {
				return nil, "", a.invalidParameter("The issuerUrl is the cluster's own: its tokens are taken already.")
			}
			tags, err := a.newTags(in.Tags)
			if err != nil {
				return nil, "", err
			}
			name := aws.ToString(in.Oidc.IdentityProviderConfigName)
			provider := region.IdentityProvider{
				ClusterID: c.cluster.ID, Name: name, ARN: s.arn(identityProviders.kind, c.cluster.Name, oidcType, name, c.id),
				IssuerURL: aws.ToString(in.Oidc.IssuerUrl), ClientID: aws.ToString(in.Oidc.ClientId),
				UsernameClaim: aws.ToString(in.Oidc.UsernameClaim), UsernamePrefix: aws.ToString(in.Oidc.UsernamePrefix),
				GroupsClaim: aws.ToString(in.Oidc.GroupsClaim), GroupsPrefix: aws.ToString(in.Oidc.GroupsPrefix),
				RequiredClaims: in.Oidc.RequiredClaims, Tags: tags, CreatedAt: c.now,
			}
			if provider.UsernameClaim == "" {
				provider.UsernameClaim = "sub"
			}
			identityProviders.put(c.tx, provider)
			update := c.update(types.UpdateTypeAssociateIdentityProviderConfig,
				[]region.UpdateParam{param(types.UpdateParamTypeIdentityProviderConfig,
					asJSON([]any{map[string]string{"type": oidcType, "name": name}}))})
			return &eks.AssociateIdentityProviderConfigOutput{Update: update, Tags: mergeTags(tags, nil)}, provider.ARN, nil
		})
}

// wrongOIDC says what is wrong with a provider's configuration, or returns "".
func wrongOIDC(c *types.OidcIdentityProviderConfigRequest) string {
	if c == nil {
		return "oidc is missing: the provider's configuration."
	}
	name := aws.ToString(c.IdentityProviderConfigName)
	if len(name) > 100 || !oidcName.MatchString(name) {
		return fmt.Sprintf("The identityProviderConfigName %s must have 1 to 100 letters, digits, dots, hyphens and "+
			"underscores.", quote(name))
	}
	if aws.ToString(c.ClientId) == "" || len(*c.ClientId) > 256 {
		return "The clientId must have 1 to 256 characters."
	}
	issuer, err := url.Parse(aws.ToString(c.IssuerUrl))
	switch {
	case err != nil || issuer.Scheme != "https" || issuer.Host == "":
		return fmt.Sprintf("The issuerUrl %s must begin with https:// and name a host.", quote(aws.ToString(c.IssuerUrl)))
	case issuer.RawQuery != "" || issuer.ForceQuery || issuer.Fragment != "" || issuer.User != nil:
		return fmt.Sprintf("The issuerUrl %s must have no query, fragment or user.", quote(issuer.Redacted()))
	}
	if c.GroupsPrefix != nil && c.GroupsClaim == nil {
		return "groupsPrefix needs a groupsClaim."
	}
	for _, prefix := range []*string{c.UsernamePrefix, c.GroupsPrefix} {
		if awsName(aws.ToString(prefix)) != "" || hasControl(aws.ToString(prefix)) {
			return fmt.Sprintf("The prefix %s must not be one of Kubernetes or AWS, such as system: or eks:.", quote(*prefix))
		}
	}
	if len(c.RequiredClaims) > maxRequiredClaims {
		return fmt.Sprintf("At most %d requiredClaims can be given.", maxRequiredClaims)
	}
	for _, key := range sortedKeys(c.RequiredClaims) {
		if key == "" || len(key) > 63 || c.RequiredClaims[key] == "" || len(c.RequiredClaims[key]) > 253 {
			return "The requiredClaims need keys of 1 to 63 characters and values of 1 to 253."
		}
	}
	return ""
}

// identityProviderNamed is the cluster's provider that a request means.
func identityProviderNamed(tx *state.Txn, cluster region.Cluster,
	config *types.IdentityProviderConfig) (region.IdentityProvider, error) {
	a := about{cluster: cluster.Name}
	if config == nil {
		return region.IdentityProvider{}, a.invalidParameter("identityProviderConfig is missing: its type and name.")
	}
	if aws.ToString(config.Type) != oidcType {
		return region.IdentityProvider{}, a.invalidParameter("The identity provider config type %s is not "+
			"valid: it is %s.", quote(aws.ToString(config.Type)), oidcType)
	}
	provider, found := identityProviders.get(tx, cluster.ID, aws.ToString(config.Name))
	if !found {
		return provider, a.notFound("Identity provider config %s is not associated with the cluster %s.",
			quote(aws.ToString(config.Name)), cluster.Name)
	}
	return provider, nil
}

func providerTarget(cluster *string, config *types.IdentityProviderConfig) target {
	t := target{cluster: aws.ToString(cluster), kind: identityProviders}
	if config != nil {
		t.name = aws.ToString(config.Name)
	}
	return t
}

func (s *Service) describeIdentityProviderConfig(call *operation.Call,
	in *eks.DescribeIdentityProviderConfigInput) (*eks.DescribeIdentityProviderConfigOutput, error) {
	out := &eks.DescribeIdentityProviderConfigOutput{}
	return out, readOf(s, call, providerTarget(in.ClusterName, in.IdentityProviderConfig),
		func(tx *state.Txn, cluster region.Cluster) error {
			p, err := identityProviderNamed(tx, cluster, in.IdentityProviderConfig)
			if err != nil {
				return err
			}
			out.IdentityProviderConfig = &types.IdentityProviderConfigResponse{Oidc: &types.OidcIdentityProviderConfig{
				IdentityProviderConfigName: aws.String(p.Name), IdentityProviderConfigArn: aws.String(p.ARN),
				ClusterName: aws.String(cluster.Name),
				IssuerUrl:   aws.String(p.IssuerURL), ClientId: aws.String(p.ClientID), UsernameClaim: aws.String(p.UsernameClaim),
				UsernamePrefix: memberOf(p.UsernamePrefix), GroupsClaim: memberOf(p.GroupsClaim),
				GroupsPrefix:   memberOf(p.GroupsPrefix),
				RequiredClaims: p.RequiredClaims, Tags: mergeTags(p.Tags, nil), Status: types.ConfigStatusActive,
			}}
			return nil
		})
}

func (s *Service) listIdentityProviderConfigs(call *operation.Call,
	in *eks.ListIdentityProviderConfigsInput) (*eks.ListIdentityProviderConfigsOutput, error) {
	out := &eks.ListIdentityProviderConfigsOutput{IdentityProviderConfigs: []types.IdentityProviderConfig{}}
	names, next, err := s.namesOf(call, identityProviders, in.ClusterName, in.MaxResults, in.NextToken)
	for _, name := range names {
		out.IdentityProviderConfigs = append(out.IdentityProviderConfigs,
			types.IdentityProviderConfig{Type: aws.String(oidcType), Name: aws.String(name)})
	}
	out.NextToken = next
	return out, err
}

func (s *Service) disassociateIdentityProviderConfig(call *operation.Call,
	in *eks.DisassociateIdentityProviderConfigInput) (*eks.DisassociateIdentityProviderConfigOutput, error) {
	t := providerTarget(in.ClusterName, in.IdentityProviderConfig)
	return changeOf(s, call, t, mustBeActive, in.ClientRequestToken, in,
		func(c change) (*eks.DisassociateIdentityProviderConfigOutput, string, error) {
			provider, err := identityProviderNamed(c.tx, c.cluster, in.IdentityProviderConfig)
			if err != nil {
				return nil, "", err
			}
			identityProviders.delete(c.tx, c.cluster.ID, provider.Name)
			return &eks.DisassociateIdentityProviderConfigOutput{Update: c.update(types.UpdateTypeDisassociateIdentityProviderConfig,
				[]region.UpdateParam{param(types.UpdateParamTypeIdentityProviderConfig,
					asJSON([]any{in.IdentityProviderConfig}))})}, "", nil
		})
}
