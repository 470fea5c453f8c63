package elb

import (
	"maps"
	"strconv"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

type enabled struct{ Enabled bool }

type classicLog struct {
	Enabled        bool
	S3BucketName   string `xml:",omitempty" json:",omitempty"`
	EmitInterval   *int   `json:",omitempty"`
	S3BucketPrefix string `xml:",omitempty" json:",omitempty"`
}

type classicDraining struct {
	Enabled bool
	Timeout *int `json:",omitempty"`
}

type classicSettings struct{ IdleTimeout int }

// classicAttributes are a classic load balancer's attributes in the API's form.
type classicAttributes struct {
	CrossZoneLoadBalancing *enabled                  `json:",omitempty"`
	AccessLog              *classicLog               `json:",omitempty"`
	ConnectionDraining     *classicDraining          `json:",omitempty"`
	ConnectionSettings     *classicSettings          `json:",omitempty"`
	AdditionalAttributes   wire.QueryList[attribute] `xml:",omitempty" json:",omitempty"`
}

// desyncMode is the one additional attribute, by the name that the classic API has for it.
const (
	desyncMode   = "elb.http.desyncmitigationmode"
	desyncModeV2 = "routing.http.desync_mitigation_mode"
)

// given are the attributes that a call sets, by the names of the other API.
func (a classicAttributes) given() (set []attribute, err error) {
	put := func(key, value string) { set = append(set, attribute{key, value}) }
	number := func(key string, n *int) {
		if n != nil {
			put(key, strconv.Itoa(*n))
		}
	}
	if c := a.CrossZoneLoadBalancing; c != nil {
		put("load_balancing.cross_zone.enabled", strconv.FormatBool(c.Enabled))
	}
	if l := a.AccessLog; l != nil {
		if l.Enabled && l.S3BucketName == "" {
			return nil, unsuitable("An S3 bucket name must be specified to enable access logs")
		}
		put("access_logs.s3.enabled", strconv.FormatBool(l.Enabled))
		put("access_logs.s3.bucket", l.S3BucketName)
		put("access_logs.s3.prefix", l.S3BucketPrefix)
		number("access_logs.emit_interval", l.EmitInterval)
	}
	if d := a.ConnectionDraining; d != nil {
		put("connection_draining.enabled", strconv.FormatBool(d.Enabled))
		number("connection_draining.timeout", d.Timeout)
	}
	if c := a.ConnectionSettings; c != nil {
		number("idle_timeout.timeout_seconds", &c.IdleTimeout)
	}
	for _, more := range a.AdditionalAttributes {
		if more.Key != desyncMode {
			return nil, unsuitable("The attribute %s is not supported", wire.Clip(more.Key))
		}
		put(desyncModeV2, more.Value)
	}
	return set, nil
}

func showClassicAttributes(b region.LoadBalancer) classicAttributes {
	is := func(key string) bool { return b.Attribute(key) == "true" }
	number := func(key string) int { n, _ := strconv.Atoi(b.Attribute(key)); return n }
	draining, interval := number("connection_draining.timeout"), number("access_logs.emit_interval")
	shown := classicAttributes{CrossZoneLoadBalancing: &enabled{is("load_balancing.cross_zone.enabled")},
		AccessLog:            &classicLog{Enabled: is("access_logs.s3.enabled")},
		ConnectionDraining:   &classicDraining{is("connection_draining.enabled"), &draining},
		ConnectionSettings:   &classicSettings{number("idle_timeout.timeout_seconds")},
		AdditionalAttributes: wire.QueryList[attribute]{{desyncMode, b.Attribute(desyncModeV2)}}}
	if shown.AccessLog.Enabled {
		shown.AccessLog = &classicLog{true, b.Attribute("access_logs.s3.bucket"), &interval,
			b.Attribute("access_logs.s3.prefix")}
	}
	return shown
}

type modifyClassicInput struct {
	classicNamed
	LoadBalancerAttributes classicAttributes
}

type classicAttributesOutput struct {
	LoadBalancerName       string `xml:",omitempty" json:",omitempty"`
	LoadBalancerAttributes classicAttributes
}

func (s *Service) modifyClassicAttributes(call *operation.Call, in *modifyClassicInput) (*classicAttributesOutput, error) {
	set, err := in.LoadBalancerAttributes.given()
	if err != nil {
		return nil, err
	}
	return editClassic(s, call, in.LoadBalancerName,
		func(_ *state.Txn, b *region.LoadBalancer, out *classicAttributesOutput) error {
			all := map[string]string{}
			maps.Copy(all, b.Attributes)
			for _, a := range set {
				if err := classicValues(a.Key).check(a); err != nil {
					return err
				}
				all[a.Key] = a.Value
			}
			b.Attributes = all
			out.LoadBalancerName, out.LoadBalancerAttributes = b.Name, in.LoadBalancerAttributes
			return nil
		})
}

// classicValues are those that an attribute of classic load balancers takes.
func classicValues(key string) values {
	switch key {
	case "access_logs.emit_interval":
		return words("5", "60")
	case "connection_draining.timeout":
		return numbers(1, 3600)
	}
	return valuesOf(key, "")
}

func (s *Service) describeClassicAttributes(call *operation.Call, in *classicNamed) (*classicAttributesOutput, error) {
	return view(s, call, func(tx *state.Txn, out *classicAttributesOutput) error {
		b, err := classicBalancer(tx, in.LoadBalancerName)
		out.LoadBalancerAttributes = showClassicAttributes(b)
		return err
	})
}

type classicTagsInput struct {
	LoadBalancerNames []string
	Tags              []tag
}

func (s *Service) addClassicTags(call *operation.Call, in *classicTagsInput) (*none, error) {
	given, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return s.editClassicTags(call, in, func(tags map[string]string) (map[string]string, error) { return laidOver(tags, given) })
}

func (s *Service) removeClassicTags(call *operation.Call, in *classicTagsInput) (*none, error) {
	var gone []string
	for _, t := range in.Tags {
		gone = append(gone, t.Key)
	}
	return s.editClassicTags(call, in, func(tags map[string]string) (map[string]string, error) {
		return withoutKeys(tags, gone), nil
	})
}

func (s *Service) editClassicTags(call *operation.Call, in *classicTagsInput,
	edit func(map[string]string) (map[string]string, error)) (*none, error) {
	return change(s, call, func(tx *state.Txn, _ *none) error {
		for _, name := range in.LoadBalancerNames {
			b, err := classicBalancer(tx, name)
			if err != nil {
				return err
			}
			if b.Tags, err = edit(b.Tags); err != nil {
				return err
			}
			region.LoadBalancers.Put(tx, b.Key(), b)
		}
		return nil
	})
}

type describeClassicTagsInput struct{ LoadBalancerNames []string }

type classicTagDescription struct {
	LoadBalancerName string
	Tags             wire.QueryList[tag]
}

type classicTagsOutput struct {
	TagDescriptions wire.QueryList[classicTagDescription]
}

func (s *Service) describeClassicTags(call *operation.Call, in *describeClassicTagsInput) (*classicTagsOutput, error) {
	return view(s, call, func(tx *state.Txn, out *classicTagsOutput) error {
		for _, name := range in.LoadBalancerNames {
			b, err := classicBalancer(tx, name)
			if err != nil {
				return err
			}
			out.TagDescriptions = append(out.TagDescriptions, classicTagDescription{name, shownTags(b.Tags)})
		}
		return nil
	})
}

// describeClassicLimits are AWS's default quotas.
func (s *Service) describeClassicLimits(*operation.Call, *page) (*limitsOutput, error) {
	return &limitsOutput{wire.QueryList[limit]{{"classic-load-balancers", "20"}, {"classic-listeners", "100"},
		{"classic-registered-instances", "1000"}}}, nil
}
