package iamapi

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

const (
	maxProviders   = 100 // of an account
	maxClientIDs   = 100 // of a provider
	maxThumbprints = 5
)

var thumbprint = regexp.MustCompile(`^[0-9A-Fa-f]{40}$`)

type providerARN struct {
	ARN string `query:"OpenIDConnectProviderArn,required"`
}

func (in providerARN) subject(*operation.Call) thing { return thing{kind: kindProvider, name: in.ARN} }

type createProviderInput struct {
	URL            string `query:"Url,required"`
	ClientIDList   []string
	ThumbprintList []string
	Tags           []Tag
}

func (in createProviderInput) subject(*operation.Call) thing {
	return thing{kindProvider, "/", bareURL(in.URL)}
}

// bareURL is an issuer's URL as the provider's ARN has it.
func bareURL(url string) string { return strings.TrimSuffix(strings.TrimPrefix(url, "https://"), "/") }

type createdProvider struct {
	ARN  string    `xml:"OpenIDConnectProviderArn" json:"OpenIDConnectProviderArn"`
	Tags list[Tag] `xml:",omitempty" json:",omitempty"`
}

// createProvider records an issuer. Unlike AWS it takes a port in the URL, as the issuers of Tripod's clusters have
// one; nothing is fetched from there.
func (s *Service) createProvider(call *operation.Call, in *createProviderInput) (*createdProvider, error) {
	issuer, err := url.Parse(in.URL)
	if err != nil || issuer.Scheme != "https" || issuer.Hostname() == "" || issuer.User != nil ||
		strings.ContainsAny(in.URL, "?# ") || len(in.URL) > 255 {
		return nil, invalidInput("Url must be an issuer's https URL of at most 255 characters, without a query, such as " +
			"https://localhost:4566/id/NAME.")
	}
	if err := checkClientIDs(in.ClientIDList); err != nil {
		return nil, err
	}
	if err := checkThumbprints(in.ThumbprintList); err != nil {
		return nil, err
	}
	tags, err := checkTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	bare := bareURL(in.URL)
	p := region.OIDCProvider{
		ARN: s.arn(kindProvider, "/"+bare), Issuer: bare, ClientIDs: in.ClientIDList, Thumbprints: in.ThumbprintList,
		CreatedAt: s.now(), Tags: tags,
	}
	return change(s, call, func(tx *state.Txn) (*createdProvider, error) {
		if _, err := find(tx, kindProvider, p.ARN); err == nil {
			return nil, alreadyExists("Provider with url https://%s already exists.", bare)
		}
		if !region.OIDCProviders.Part("").Fewer(tx, maxProviders) {
			return nil, limitExceeded("Cannot exceed quota for OpenIdConnectProvidersPerAccount: %d", maxProviders)
		}
		region.OIDCProviders.Put(tx, p.ARN, p)
		return &createdProvider{p.ARN, tagList(p.Tags)}, nil
	})
}

func checkClientIDs(ids []string) error {
	if len(ids) > maxClientIDs {
		return limitExceeded("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
	}
	return nil
}

func checkThumbprints(list []string) error {
	switch {
	case len(list) > maxThumbprints:
		return invalidInput("Thumbprint list must contain fewer than %d entries.", maxThumbprints+1)
	case slices.ContainsFunc(list, func(one string) bool { return !thumbprint.MatchString(one) }):
		return invalid("A thumbprint must be 40 hexadecimal digits.")
	}
	return nil
}

// shownURL is how a provider's URL is answered: without its scheme, as AWS does. One with a port, which AWS has none
// of, keeps it: terraform's provider takes what stands before a colon for a scheme, and would make the provider anew at
// each apply.
func shownURL(issuer string) string {
	if strings.Contains(issuer, ":") {
		return "https://" + issuer
	}
	return issuer
}

type providerResult struct {
	URL            string `xml:"Url" json:"Url"`
	ClientIDList   list[string]
	ThumbprintList list[string]
	CreateDate     string
	Tags           list[Tag]
}

func (s *Service) getProvider(call *operation.Call, in *providerARN) (*providerResult, error) {
	return view(s, call, func(tx *state.Txn) (*providerResult, error) {
		p, found := region.OIDCProviders.Get(tx, in.ARN)
		if !found {
			return nil, notThere(kindProvider, in.ARN)
		}
		return &providerResult{shownURL(p.Issuer), p.ClientIDs, p.Thumbprints, stamp(p.CreatedAt), tagList(p.Tags)}, nil
	})
}

type providerEntry struct {
	ARN string `xml:"Arn" json:"Arn"`
}

type providerList struct {
	OpenIDConnectProviderList list[providerEntry]
}

func (s *Service) listProviders(call *operation.Call, _ *struct{}) (*providerList, error) {
	return view(s, call, func(tx *state.Txn) (*providerList, error) {
		out := &providerList{}
		for arn := range region.OIDCProviders.Part("").KeysAfter(tx, "") {
			out.OpenIDConnectProviderList = append(out.OpenIDConnectProviderList, providerEntry{arn})
		}
		return out, nil
	})
}

type thumbprintInput struct {
	providerARN
	ThumbprintList []string `query:",required"`
}

func (s *Service) updateThumbprints(call *operation.Call, in *thumbprintInput) (done, error) {
	return s.changeProvider(call, in.ARN, func(p *region.OIDCProvider) error {
		p.Thumbprints = in.ThumbprintList
		return checkThumbprints(in.ThumbprintList)
	})
}

type clientIDInput struct {
	providerARN
	ClientID string `query:",required"`
}

func (s *Service) addClientID(call *operation.Call, in *clientIDInput) (done, error) {
	return s.changeProvider(call, in.ARN, func(p *region.OIDCProvider) error {
		if !slices.Contains(p.ClientIDs, in.ClientID) { // one that is there already is no error
			p.ClientIDs = append(p.ClientIDs, in.ClientID)
		}
		return checkClientIDs(p.ClientIDs)
	})
}

func (s *Service) removeClientID(call *operation.Call, in *clientIDInput) (done, error) {
	return s.changeProvider(call, in.ARN, func(p *region.OIDCProvider) error {
		p.ClientIDs = slices.DeleteFunc(p.ClientIDs, func(id string) bool { return id == in.ClientID }) // none is no error
		return nil
	})
}

func (s *Service) changeProvider(call *operation.Call, arn string, alter func(*region.OIDCProvider) error) (done,
	error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		p, found := region.OIDCProviders.Get(tx, arn)
		if !found {
			return done{}, notThere(kindProvider, arn)
		}
		if err := alter(&p); err != nil {
			return done{}, err
		}
		region.OIDCProviders.Put(tx, p.ARN, p)
		return done{}, nil
	})
}

// deleteProvider deletes an issuer; one that is not there is no error, as in AWS.
func (s *Service) deleteProvider(call *operation.Call, in *providerARN) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		region.OIDCProviders.Delete(tx, in.ARN)
		return done{}, nil
	})
}
