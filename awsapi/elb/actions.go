package elb

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// action is an action in the API's form.
type action struct {
	Type                      string
	TargetGroupArn            string               `xml:",omitempty" json:",omitempty"`
	Order                     *int                 `json:",omitempty"`
	ForwardConfig             *forwardConfig       `json:",omitempty"`
	RedirectConfig            *redirectConfig      `json:",omitempty"`
	FixedResponseConfig       *fixedResponseConfig `json:",omitempty"`
	AuthenticateOidcConfig    *oidcConfig          `json:",omitempty"`
	AuthenticateCognitoConfig *cognitoConfig       `json:",omitempty"`
	JwtValidationConfig       *jwtConfig           `json:",omitempty"`
}

type forwardConfig struct {
	TargetGroups          wire.QueryList[weightedGroup]
	TargetGroupStickiness *groupStickiness `query:"TargetGroupStickinessConfig" xml:"TargetGroupStickinessConfig"`
}

type weightedGroup struct {
	TargetGroupArn string
	Weight         *int `json:",omitempty"`
}

type groupStickiness struct {
	Enabled         bool
	DurationSeconds *int `json:",omitempty"`
}

type redirectConfig struct {
	Protocol, Port, Host, Path, Query, StatusCode string
}

type fixedResponseConfig struct {
	MessageBody string `xml:",omitempty" json:",omitempty"`
	StatusCode  string
	ContentType string `xml:",omitempty" json:",omitempty"`
}

// oidcConfig is recorded and shown without its secret.
type oidcConfig struct {
	Issuer, AuthorizationEndpoint, TokenEndpoint, UserInfoEndpoint string
	ClientID                                                       string `query:"ClientId" xml:"ClientId" json:"ClientId"`
	ClientSecret                                                   string `xml:"-" json:"-"`
	SessionCookieName, Scope                                       string `xml:",omitempty" json:",omitempty"`
	SessionTimeout                                                 *int   `json:",omitempty"`
	OnUnauthenticatedRequest                                       string `xml:",omitempty" json:",omitempty"`
	UseExistingClientSecret                                        *bool  `json:",omitempty"`
}

type cognitoConfig struct {
	UserPoolArn              string
	UserPoolClientID         string `query:"UserPoolClientId" xml:"UserPoolClientId" json:"UserPoolClientId"`
	UserPoolDomain           string
	SessionCookieName, Scope string `xml:",omitempty" json:",omitempty"`
	SessionTimeout           *int   `json:",omitempty"`
	OnUnauthenticatedRequest string `xml:",omitempty" json:",omitempty"`
}

type jwtConfig struct {
	JwksEndpoint, Issuer string
	AdditionalClaims     wire.QueryList[jwtClaim] `json:",omitempty"`
}

type jwtClaim struct {
	Format, Name string
	Values       wire.QueryList[string]
}

// terminal are the types of which a rule's last action is one.
var terminal = []string{region.ActionForward, region.ActionRedirect, region.ActionFixedResponse}

// maxForwardGroups is how many target groups a forward action sends to.
const maxForwardGroups = 5

// maxActions is how many actions a rule has: AWS's quota.
const maxActions = 5

// newActions are actions as records, in their order, and checked as far as they are on their own.
func newActions(given []action) ([]region.RuleAction, error) {
	if len(given) == 0 {
		return nil, invalid("At least one action must be specified")
	}
	if len(given) > maxActions {
		return nil, refuse("TooManyActions", "A rule can have up to '%d' actions", maxActions)
	}
	var all []region.RuleAction
	ends := 0
	for _, a := range given {
		made, err := a.record()
		if err != nil {
			return nil, err
		}
		if slices.Contains(terminal, a.Type) {
			ends++
		}
		if a.Order == nil && len(given) > 1 {
			return nil, invalid("An action order must be specified for every action when there are multiple actions")
		}
		all = append(all, made)
	}
	slices.SortStableFunc(all, func(a, b region.RuleAction) int { return a.Order - b.Order })
	for i := 1; i < len(all); i++ {
		if all[i].Order == all[i-1].Order {
			return nil, invalid("The action order '%d' was specified more than once", all[i].Order)
		}
	}
	if ends != 1 || !slices.Contains(terminal, all[len(all)-1].Type) {
		return nil, refuse("InvalidLoadBalancerAction", "There must be exactly one action of type 'forward', 'redirect' or "+
			"'fixed-response', and it must be the last")
	}
	return all, nil
}

func (a action) record() (region.RuleAction, error) {
	made := region.RuleAction{Type: a.Type}
	if a.Order != nil {
		made.Order = *a.Order
	}
	var err error
	switch a.Type {
	case region.ActionForward:
		made.Forward, err = a.forward()
	case region.ActionRedirect:
		made.Redirect, err = a.redirect()
	case region.ActionFixedResponse:
		made.Fixed, err = a.fixed()
	default:
		var config any
		switch {
		case a.Type == region.ActionOIDC && a.AuthenticateOidcConfig != nil:
			config = a.AuthenticateOidcConfig
		case a.Type == region.ActionCognito && a.AuthenticateCognitoConfig != nil:
			config = a.AuthenticateCognitoConfig
		case a.Type == region.ActionJWT && a.JwtValidationConfig != nil:
			config = a.JwtValidationConfig
		default:
			return made, invalid("A configuration must be specified for actions of type '%s'", a.Type)
		}
		made.Authenticate, err = json.Marshal(config)
	}
	return made, err
}

func (a action) forward() (*region.ForwardAction, error) {
	made := &region.ForwardAction{}
	if a.ForwardConfig == nil || len(a.ForwardConfig.TargetGroups) == 0 {
		if a.TargetGroupArn == "" {
			return nil, invalid("A target group ARN must be specified")
		}
		made.Groups = []region.WeightedGroup{{TargetGroup: a.TargetGroupArn, Weight: 1}}
		return made, nil
	}
	groups := a.ForwardConfig.TargetGroups
	if a.TargetGroupArn != "" && (len(groups) != 1 || groups[0].TargetGroupArn != a.TargetGroupArn) {
		return nil, invalid("A target group ARN and a forward config can be specified together only if they name the same " +
			"single target group")
	}
	if len(groups) > maxForwardGroups {
		return nil, refuse("TooManyTargetGroups", "A forward action can have up to '%d' target groups", maxForwardGroups)
	}
	for _, g := range groups {
		weight := 1
		if g.Weight != nil {
			weight = *g.Weight
		}
		switch {
		case weight < 0 || weight > 999:
			return nil, invalid("The weight of a target group must be between '0-999' inclusive, not '%d'", weight)
		case g.TargetGroupArn == "":
			return nil, invalid("A target group ARN must be specified")
		case slices.ContainsFunc(made.Groups, func(o region.WeightedGroup) bool { return o.TargetGroup == g.TargetGroupArn }):
			return nil, invalid("Target group '%s' was specified more than once", wire.Clip(g.TargetGroupArn))
		}
		made.Groups = append(made.Groups, region.WeightedGroup{TargetGroup: g.TargetGroupArn, Weight: weight})
	}
	if sticky := a.ForwardConfig.TargetGroupStickiness; sticky != nil && sticky.Enabled {
		if sticky.DurationSeconds == nil || *sticky.DurationSeconds < 1 || *sticky.DurationSeconds > 604800 {
			return nil, invalid("The duration of target group stickiness must be between '1-604800' seconds inclusive")
		}
		made.StickySeconds = *sticky.DurationSeconds
	}
	return made, nil
}

func (a action) redirect() (*region.RedirectAction, error) {
	c := a.RedirectConfig
	if c == nil {
		return nil, invalid("A redirect config must be specified for actions of type 'redirect'")
	}
	made := &region.RedirectAction{Protocol: cmp.Or(c.Protocol, "#{protocol}"), Port: cmp.Or(c.Port, "#{port}"),
		Host: cmp.Or(c.Host, "#{host}"), Path: cmp.Or(c.Path, "/#{path}"), Query: cmp.Or(c.Query, "#{query}"), Status: 301}
	if c.StatusCode == "HTTP_302" {
		made.Status = 302
	}
	if made.Protocol+made.Port+made.Host+made.Path == "#{protocol}#{port}#{host}/#{path}" {
		return nil, refuse("InvalidLoadBalancerAction", "At least one of protocol, host, port or path of a redirect action must "+
			"be changed: it would redirect to itself")
	}
	if !strings.HasPrefix(made.Path, "/") {
		return nil, invalid("The path of a redirect action must begin with '/': '%s'", made.Path)
	}
	if n, err := strconv.Atoi(made.Port); made.Port != "#{port}" && (err != nil || n < 1 || n > 65535) {
		return nil, invalid("The port of a redirect action must be between '1-65535' or '#{port}', not '%s'", wire.Clip(made.Port))
	}
	return made, nil
}

// fixedTypes are the content types of fixed responses.
var fixedTypes = []string{"text/html", "application/json", "application/javascript", "text/css", "text/plain"}

func (a action) fixed() (*region.FixedResponse, error) {
	c := a.FixedResponseConfig
	if c == nil {
		return nil, invalid("A fixed response config must be specified for actions of type 'fixed-response'")
	}
	if c.ContentType != "" && !slices.Contains(fixedTypes, c.ContentType) {
		return nil, refuse("InvalidLoadBalancerAction", "The ContentType must be one of:'%s'", strings.Join(fixedTypes, "', '"))
	}
	status, err := strconv.Atoi(c.StatusCode) // three digits: the model says so
	return &region.FixedResponse{Status: status, ContentType: c.ContentType, Body: c.MessageBody}, err
}

// shownActions are actions in the API's form.
func shownActions(records []region.RuleAction) (all wire.QueryList[action]) {
	for _, r := range records {
		all = append(all, shownAction(r))
	}
	return all
}

func shownAction(r region.RuleAction) action {
	a := action{Type: r.Type}
	if r.Order > 0 {
		a.Order = &r.Order
	}
	switch {
	case r.Forward != nil:
		a.ForwardConfig = &forwardConfig{TargetGroupStickiness: &groupStickiness{Enabled: r.Forward.StickySeconds > 0}}
		if r.Forward.StickySeconds > 0 {
			a.ForwardConfig.TargetGroupStickiness.DurationSeconds = &r.Forward.StickySeconds
		}
		for _, g := range r.Forward.Groups {
			a.ForwardConfig.TargetGroups = append(a.ForwardConfig.TargetGroups, weightedGroup{g.TargetGroup, &g.Weight})
		}
		if len(r.Forward.Groups) == 1 {
			a.TargetGroupArn = r.Forward.Groups[0].TargetGroup
		}
	case r.Redirect != nil:
		to := r.Redirect
		a.RedirectConfig = &redirectConfig{to.Protocol, to.Port, to.Host, to.Path, to.Query, "HTTP_" + strconv.Itoa(to.Status)}
	case r.Fixed != nil:
		a.FixedResponseConfig = &fixedResponseConfig{r.Fixed.Body, strconv.Itoa(r.Fixed.Status), r.Fixed.ContentType}
	case r.Authenticate != nil:
		a.authenticate(r.Authenticate)
	}
	return a
}

// authenticate sets the recorded configuration. What cannot be read was not written here.
func (a *action) authenticate(recorded json.RawMessage) {
	switch a.Type {
	case region.ActionOIDC:
		a.AuthenticateOidcConfig = &oidcConfig{}
		_ = json.Unmarshal(recorded, a.AuthenticateOidcConfig)
	case region.ActionCognito:
		a.AuthenticateCognitoConfig = &cognitoConfig{}
		_ = json.Unmarshal(recorded, a.AuthenticateCognitoConfig)
	case region.ActionJWT:
		a.JwtValidationConfig = &jwtConfig{}
		_ = json.Unmarshal(recorded, a.JwtValidationConfig)
	}
}

// sendable are the protocols of target groups that listeners of a protocol send to.
var sendable = map[string][]string{
	"HTTP": {"HTTP", "HTTPS"}, "HTTPS": {"HTTP", "HTTPS"}, "TCP": {"TCP", "TCP_UDP"}, "TLS": {"TCP", "TLS"},
	"UDP": {"UDP", "TCP_UDP"}, "TCP_UDP": {"TCP_UDP"}, "QUIC": {"QUIC", "TCP_QUIC"}, "TCP_QUIC": {"TCP_QUIC"},
	"GENEVE": {"GENEVE"},
}

// checkActions says whether a listener's actions, or those of a rule of it, fit it.
func checkActions(tx *state.Txn, b region.LoadBalancer, l region.Listener, actions []region.RuleAction) error {
	for _, a := range actions {
		if b.Type != region.ApplicationBalancer && a.Type != region.ActionForward {
			return refuse("InvalidLoadBalancerAction", "Actions of type '%s' are not supported for load balancers with type '%s'",
				a.Type, b.Type)
		}
		if a.Authenticate != nil && l.Protocol != "HTTPS" {
			return refuse("InvalidLoadBalancerAction", "Actions of type '%s' are supported only on HTTPS listeners", a.Type)
		}
	}
	for _, arn := range region.GroupsIn(actions) {
		g, err := targetGroup(tx, arn)
		switch {
		case err != nil:
			return err
		case g.Type != "lambda" && !slices.Contains(sendable[l.Protocol], g.Protocol), g.Type == "lambda" &&
			b.Type != region.ApplicationBalancer:
			return unsuitable("Listener protocol '%s' is not supported with a target group with the protocol '%s'", l.Protocol,
				cmp.Or(g.Protocol, g.Type))
		case g.Version != "" && g.Version != "HTTP1" && l.Protocol != "HTTPS":
			return unsuitable("Listener protocol '%s' is not supported with a target group with the protocol-version '%s'",
				l.Protocol, g.Version)
		case g.VPC != "" && g.VPC != b.VPC:
			return unsuitable("The target group '%s' and the load balancer '%s' must be in the same VPC", g.ARN, b.ARN)
		}
		for _, user := range region.BalancersUsing(tx, arn) {
			if user != b.ARN {
				return refuse("TargetGroupAssociationLimit",
					"The following target groups cannot be associated with more than one load balancer: %s", arn)
			}
		}
	}
	return nil
}
