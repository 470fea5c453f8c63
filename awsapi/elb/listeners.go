package elb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// maxListeners is how many listeners a load balancer has: AWS's default quota.
const maxListeners = 50

// protocols are those of listeners, by their load balancers' types.
var protocols = map[region.BalancerType][]string{
	region.ApplicationBalancer: {"HTTP", "HTTPS"},
	region.NetworkBalancer:     {"TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"},
}

// certificate is a listener's certificate in the API's form.
type certificate struct {
	CertificateArn string
	IsDefault      *bool `json:",omitempty"`
}

type mutualAuthentication struct {
	Mode                          string
	TrustStoreArn                 string `xml:",omitempty" json:",omitempty"`
	IgnoreClientCertificateExpiry *bool  `json:",omitempty"`
	TrustStoreAssociationStatus   string `xml:",omitempty" json:",omitempty"`
	AdvertiseTrustStoreCaNames    string `xml:",omitempty" json:",omitempty"`
}

// listenerSettings are what CreateListener and ModifyListener say.
type listenerSettings struct {
	Protocol             string
	Port                 *int
	SslPolicy            string
	Certificates         []certificate
	DefaultActions       []action
	AlpnPolicy           []string
	MutualAuthentication *mutualAuthentication
}

type createListenerInput struct {
	listenerSettings
	LoadBalancerArn string
	Tags            []tag
}

type shownListener struct {
	ListenerArn          string
	LoadBalancerArn      string
	Port                 int                         `xml:",omitempty" json:",omitempty"`
	Protocol             string                      `xml:",omitempty" json:",omitempty"`
	Certificates         wire.QueryList[certificate] `xml:",omitempty" json:",omitempty"`
	SslPolicy            string                      `xml:",omitempty" json:",omitempty"`
	DefaultActions       wire.QueryList[action]
	AlpnPolicy           wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
	MutualAuthentication *mutualAuthentication  `json:",omitempty"`
}

type listenersOutput struct {
	Listeners  wire.QueryList[shownListener]
	NextMarker string `xml:",omitempty" json:",omitempty"`
}

func showListener(l region.Listener) shownListener {
	shown := shownListener{ListenerArn: l.ARN, LoadBalancerArn: l.LoadBalancer, Port: l.Port, Protocol: l.Protocol,
		SslPolicy: l.SSLPolicy, DefaultActions: shownActions(l.Actions)}
	if l.Protocol == "GENEVE" {
		shown.Protocol = ""
	}
	if len(l.Certificates) > 0 {
		shown.Certificates = wire.QueryList[certificate]{{CertificateArn: l.Certificates[0]}}
	}
	if l.ALPN != "" {
		shown.AlpnPolicy = wire.QueryList[string]{l.ALPN}
	}
	if l.Mutual != nil {
		shown.MutualAuthentication = &mutualAuthentication{Mode: l.Mutual.Mode, TrustStoreArn: l.Mutual.TrustStore,
			IgnoreClientCertificateExpiry: l.Mutual.IgnoreExpiry, AdvertiseTrustStoreCaNames: l.Mutual.AdvertiseCAs}
	} else if l.Protocol == "HTTPS" {
		shown.MutualAuthentication = &mutualAuthentication{Mode: "off"}
	}
	return shown
}

func (s *Service) createListener(call *operation.Call, in *createListenerInput) (*listenersOutput, error) {
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	actions, err := newActions(in.DefaultActions)
	if err != nil {
		return nil, err
	}
	id := newID()
	return change(s, call, func(tx *state.Txn, out *listenersOutput) error {
		b, err := balancer(tx, in.LoadBalancerArn)
		if err != nil {
			return err
		}
		l := region.Listener{ARN: s.arn("listener/" + b.Path() + "/" + id), LoadBalancer: b.ARN, Tags: tags,
			CreatedAt: s.now(), Protocol: in.Protocol, Actions: actions}
		if in.Port != nil {
			l.Port = *in.Port
		}
		if err := checkPort(b, in.listenerSettings); err != nil {
			return err
		}
		if b.Type == region.GatewayBalancer {
			l.Protocol = "GENEVE"
		}
		others := region.ListenersOf(tx, b)
		if len(others) >= maxListeners {
			return refuse("TooManyListeners", "You've reached the limit on the number of listeners per load balancer.")
		}
		if err := s.settle(tx, b, &l, in.listenerSettings); err != nil {
			return err
		}
		region.Listeners.Put(tx, l.Key(), l)
		out.Listeners = append(out.Listeners, showListener(l))
		return nil
	})
}

// checkPort says whether port and protocol are given as a load balancer's type wants it.
func checkPort(b region.LoadBalancer, in listenerSettings) error {
	switch {
	case b.Type == region.GatewayBalancer && in.Port != nil:
		return invalid("A port cannot be specified for gateway listeners")
	case b.Type == region.GatewayBalancer && in.Protocol != "":
		return invalid("A protocol cannot be specified for gateway listeners")
	case b.Type == region.GatewayBalancer:
		return nil
	case in.Port == nil:
		return invalid("A listener port must be specified")
	case in.Protocol == "":
		return invalid("A listener protocol must be specified")
	}
	return nil
}

// settle gives a listener its settings as far as they say something, and refuses what does not go together.
func (s *Service) settle(tx *state.Txn, b region.LoadBalancer, l *region.Listener, in listenerSettings) error {
	if of := protocols[b.Type]; of != nil && !slices.Contains(of, l.Protocol) {
		return invalid("Listener protocol '%s' must be one of '%s'", l.Protocol, strings.Join(of, ", "))
	}
	for _, other := range region.ListenersOf(tx, b) {
		if other.ARN != l.ARN && other.Port == l.Port {
			return refuse("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", b.ARN)
		}
	}
	if err := s.secure(tx, l, in); err != nil {
		return err
	}
	return checkActions(tx, b, *l, l.Actions)
}

// alpnPolicies are those of TLS listeners.
var alpnPolicies = []string{"HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"}

// secure gives a listener what concerns TLS.
func (s *Service) secure(tx *state.Txn, l *region.Listener, in listenerSettings) error {
	encrypted := l.Protocol == "HTTPS" || l.Protocol == "TLS"
	switch {
	case !encrypted && len(in.Certificates) > 0:
		return unsuitable("Certificates cannot be specified for %s listeners", l.Protocol)
	case !encrypted && in.SslPolicy != "":
		return unsuitable("An SSL policy cannot be specified for %s listeners", l.Protocol)
	case len(in.AlpnPolicy) > 0 && l.Protocol != "TLS":
		return unsuitable("An ALPN policy can be specified only for TLS listeners")
	case in.MutualAuthentication != nil && l.Protocol != "HTTPS":
		return unsuitable("Mutual authentication can be specified only for HTTPS listeners")
	case !encrypted:
		l.Certificates, l.SSLPolicy, l.ALPN, l.Mutual = nil, "", "", nil
		return nil
	case len(in.Certificates) > 1:
		return unsuitable("Up to '1' certificate can be specified for a listener, but '%d' were", len(in.Certificates))
	case len(in.Certificates) == 0 && len(l.Certificates) == 0:
		return invalid("A certificate must be specified for %s listeners", l.Protocol)
	case in.SslPolicy != "" && !slices.ContainsFunc(sslPolicies, func(p sslPolicy) bool { return p.Name == in.SslPolicy }):
		return refuse("SSLPolicyNotFound", "SSL policy '%s' not found", wire.Clip(in.SslPolicy))
	case len(in.AlpnPolicy) > 1 || len(in.AlpnPolicy) == 1 && !slices.Contains(alpnPolicies, in.AlpnPolicy[0]):
		return refuse("ALPNPolicyNotSupported", "The ALPN policy must be one of [%s]", strings.Join(alpnPolicies, ", "))
	}
	if len(in.Certificates) == 1 {
		arn := in.Certificates[0].CertificateArn
		if err := checkCertificate(tx, arn, s.now()); err != nil {
			return err
		}
		l.Certificates = append([]string{arn}, without(l.Certificates[min(1, len(l.Certificates)):], arn)...)
	}
	l.SSLPolicy = cmp.Or(in.SslPolicy, l.SSLPolicy, defaultSSLPolicy)
	if len(in.AlpnPolicy) == 1 {
		l.ALPN = in.AlpnPolicy[0]
	}
	if in.MutualAuthentication != nil {
		return mutual(l, *in.MutualAuthentication)
	}
	return nil
}

// mutual has clients show certificates. Tripod has no trust stores, so those cannot be verified.
func mutual(l *region.Listener, m mutualAuthentication) error {
	switch m.Mode {
	case "off", "passthrough":
		if m.TrustStoreArn != "" {
			return invalid("A trust store can be specified only with the mutual authentication mode 'verify'")
		}
	case "verify":
		if m.TrustStoreArn == "" {
			return invalid("A trust store must be specified with the mutual authentication mode 'verify'")
		}
		return refuse("TrustStoreNotFound", "Trust store '%s' not found", wire.Clip(m.TrustStoreArn))
	default:
		return invalid("The mutual authentication mode must be one of [off, passthrough, verify]")
	}
	l.Mutual = &region.MutualTLS{Mode: m.Mode, IgnoreExpiry: m.IgnoreClientCertificateExpiry}
	return nil
}

func without(names []string, gone string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == gone })
}

// checkCertificate says whether a listener can have a certificate. Those of IAM are recorded without one being there.
func checkCertificate(tx *state.Txn, arn string, now time.Time) error {
	switch {
	case strings.Contains(arn, ":iam:") && strings.Contains(arn, ":server-certificate/"):
		return nil
	case !strings.Contains(arn, ":acm:"):
		return invalid("Certificate ARN '%s' is not valid", wire.Clip(arn))
	}
	c, found := region.Certificates.Get(tx, arn)
	switch {
	case !found:
		return refuse("CertificateNotFound", "Certificate '%s' not found", wire.Clip(arn))
	case c.Status(now) == region.CertificatePending:
		return refuse("UnsupportedCertificate", "The certificate '%s' must have a fully-qualified domain name, a supported "+
			"signature, and a supported key size.", arn)
	}
	return nil
}

type modifyListenerInput struct {
	listenerSettings
	ListenerArn string
}

func (s *Service) modifyListener(call *operation.Call, in *modifyListenerInput) (*listenersOutput, error) {
	var actions []region.RuleAction
	var err error
	if len(in.DefaultActions) > 0 {
		if actions, err = newActions(in.DefaultActions); err != nil {
			return nil, err
		}
	}
	return change(s, call, func(tx *state.Txn, out *listenersOutput) error {
		l, b, err := listener(tx, in.ListenerArn)
		if err != nil {
			return err
		}
		before := region.GroupsIn(l.Actions)
		if b.Type == region.GatewayBalancer && (in.Port != nil || in.Protocol != "") {
			return checkPort(b, in.listenerSettings)
		}
		l.Protocol = cmp.Or(in.Protocol, l.Protocol)
		if in.Port != nil {
			l.Port = *in.Port
		}
		if actions != nil {
			l.Actions = actions
		}
		if err := s.settle(tx, b, &l, in.listenerSettings); err != nil {
			return err
		}
		for _, r := range region.RulesOf(tx, l) {
			if err := checkActions(tx, b, l, r.Actions); err != nil {
				return err
			}
		}
		region.Listeners.Put(tx, l.Key(), l)
		region.ForgetUnused(tx, before)
		out.Listeners = append(out.Listeners, showListener(l))
		return nil
	})
}

func (s *Service) deleteListener(call *operation.Call, in *listenerInput) (*none, error) {
	return change(s, call, func(tx *state.Txn, _ *none) error {
		l, b, err := listener(tx, in.ListenerArn)
		switch {
		case err != nil:
			return err
		case len(region.ListenersOf(tx, b)) == 1 && !region.TargetsByID.Of(b.ARN).Empty(tx):
			return refuse("ResourceInUse", "Listener '%s' cannot be deleted because its load balancer is registered as a target",
				l.ARN)
		}
		region.DeleteListener(tx, l)
		return nil
	})
}

type describeListenersInput struct {
	page
	LoadBalancerArn string
	ListenerArns    []string
}

func (s *Service) describeListeners(call *operation.Call, in *describeListenersInput) (*listenersOutput, error) {
	switch {
	case in.LoadBalancerArn == "" && len(in.ListenerArns) == 0:
		return nil, invalid("You must specify either listener ARNs or a load balancer ARN")
	case in.LoadBalancerArn != "" && len(in.ListenerArns) > 0:
		return nil, invalid("Listener ARNs and a load balancer ARN cannot be specified at the same time")
	}
	return view(s, call, func(tx *state.Txn, out *listenersOutput) (err error) {
		var found []region.Listener
		if in.LoadBalancerArn != "" {
			b, err := balancer(tx, in.LoadBalancerArn)
			if err != nil {
				return err
			}
			found = region.ListenersOf(tx, b)
		}
		for _, arn := range in.ListenerArns {
			l, _, err := listener(tx, arn)
			if err != nil {
				return refuse("ListenerNotFound", "One or more listeners not found")
			}
			found = append(found, l)
		}
		var shown []shownListener
		for _, l := range found {
			shown = append(shown, showListener(l))
		}
		out.Listeners, out.NextMarker, err = cut(call, in.page, shown, func(l shownListener) string {
			return fmt.Sprintf("%05d %s", l.Port, l.ListenerArn)
		})
		return err
	})
}

// maxCertificates is how many certificates a listener has beside its default one.
const maxCertificates = 25

type certificatesInput struct {
	ListenerArn  string
	Certificates []certificate
}

type certificatesOutput struct {
	Certificates wire.QueryList[certificate]
	NextMarker   string `xml:",omitempty" json:",omitempty"`
}

func (s *Service) addListenerCertificates(call *operation.Call, in *certificatesInput) (*certificatesOutput, error) {
	return s.editCertificates(call, in, func(tx *state.Txn, l *region.Listener, arn string) error {
		if err := checkCertificate(tx, arn, s.now()); err != nil {
			return err
		}
		if !slices.Contains(l.Certificates, arn) {
			l.Certificates = append(l.Certificates, arn)
		}
		if len(l.Certificates) > 1+maxCertificates {
			return refuse("TooManyCertificates", "You've reached the limit on the number of certificates per load balancer")
		}
		return nil
	})
}

func (s *Service) removeListenerCertificates(call *operation.Call, in *certificatesInput) (*certificatesOutput, error) {
	out, err := s.editCertificates(call, in, func(_ *state.Txn, l *region.Listener, arn string) error {
		if len(l.Certificates) > 0 && l.Certificates[0] == arn {
			return refuse("OperationNotPermitted", "Default certificate '%s' cannot be removed", arn)
		}
		l.Certificates = without(l.Certificates, arn)
		return nil
	})
	if out != nil {
		out.Certificates = nil
	}
	return out, err
}

// editCertificates has edit change a listener's certificates by each of the call's.
func (s *Service) editCertificates(call *operation.Call, in *certificatesInput,
	edit func(*state.Txn, *region.Listener, string) error) (*certificatesOutput, error) {
	return change(s, call, func(tx *state.Txn, out *certificatesOutput) error {
		l, _, err := listener(tx, in.ListenerArn)
		if err != nil {
			return err
		}
		if l.Protocol != "HTTPS" && l.Protocol != "TLS" {
			return refuse("OperationNotPermitted", "Certificates cannot be specified for %s listeners", l.Protocol)
		}
		isDefault := false
		for _, c := range in.Certificates {
			if c.IsDefault != nil {
				return invalid("IsDefault cannot be specified here")
			}
			if err := edit(tx, &l, c.CertificateArn); err != nil {
				return err
			}
			out.Certificates = append(out.Certificates, certificate{c.CertificateArn, &isDefault})
		}
		region.Listeners.Put(tx, l.Key(), l)
		return nil
	})
}

type describeCertificatesInput struct {
	page
	ListenerArn string
}

func (s *Service) describeListenerCertificates(call *operation.Call, in *describeCertificatesInput) (*certificatesOutput,
	error) {
	return view(s, call, func(tx *state.Txn, out *certificatesOutput) error {
		l, _, err := listener(tx, in.ListenerArn)
		if err != nil {
			return err
		}
		var shown []certificate
		for i, arn := range l.Certificates {
			isDefault := i == 0
			shown = append(shown, certificate{arn, &isDefault})
		}
		out.Certificates, out.NextMarker, err = cut(call, in.page, shown, func(c certificate) string { return c.CertificateArn })
		return err
	})
}
