package elb

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"tripod/awsapi/wire"
	"tripod/region"
)

type valuesConfig struct {
	Values      wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
	RegexValues wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
}

// plainValues is a configuration without regular expressions.
type plainValues struct{ Values wire.QueryList[string] }

type headerConfig struct {
	Name        string                 `query:"HttpHeaderName" xml:"HttpHeaderName" json:"HttpHeaderName"`
	Values      wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
	RegexValues wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
}

type queryPair struct {
	Key   string `xml:",omitempty" json:",omitempty"`
	Value string
}

type queryConfig struct{ Values wire.QueryList[queryPair] }

// condition is a rule's condition in the API's form.
type condition struct {
	Field                   string
	Values                  wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
	RegexValues             wire.QueryList[string] `xml:",omitempty" json:",omitempty"`
	HostHeaderConfig        *valuesConfig          `json:",omitempty"`
	PathPatternConfig       *valuesConfig          `json:",omitempty"`
	HTTPHeaderConfig        *headerConfig          `query:"HttpHeaderConfig" xml:"HttpHeaderConfig" json:"HttpHeaderConfig,omitempty"`
	QueryStringConfig       *queryConfig           `json:",omitempty"`
	HTTPRequestMethodConfig *plainValues           `query:"HttpRequestMethodConfig" xml:"HttpRequestMethodConfig"`
	SourceIPConfig          *plainValues           `query:"SourceIpConfig" xml:"SourceIpConfig" json:"SourceIpConfig,omitempty"`
}

// conditionFields are the fields, and the members of the API that have their values.
var conditionFields = []string{"host-header", "path-pattern", "http-header", "query-string", "http-request-method", "source-ip"}

// maxValues is how many values all conditions of a rule have together, and maxValue how long one is.
const (
	maxValues = 5
	maxValue  = 128
	maxHeader = 40
)

// newConditions are conditions as records.
func newConditions(given []condition) (all []region.RuleCondition, err error) {
	if len(given) == 0 {
		return nil, invalid("At least one condition must be specified")
	}
	count := 0
	for _, c := range given {
		made, err := c.record()
		if err != nil {
			return nil, err
		}
		once := made.Field != "http-header" && made.Field != "query-string"
		if once && slices.ContainsFunc(all, func(other region.RuleCondition) bool { return other.Field == made.Field }) {
			return nil, invalid("Condition field '%s' was specified more than once", made.Field)
		}
		if count += len(made.Values) + len(made.Regex) + len(made.Query); count > maxValues {
			return nil, invalid("A rule can have up to '%d' condition values", maxValues)
		}
		all = append(all, made)
	}
	return all, nil
}

func (c condition) record() (region.RuleCondition, error) {
	made := region.RuleCondition{Field: c.Field}
	if !slices.Contains(conditionFields, c.Field) {
		return made, invalid("Condition field '%s' must be one of '[%s]'", wire.Clip(c.Field), strings.Join(conditionFields, ", "))
	}
	simple := c.Field == "host-header" || c.Field == "path-pattern"
	if len(c.Values) > 0 && !simple {
		return made, invalid("The 'Values' field is not compatible with '%s'", c.Field)
	}
	if len(c.RegexValues) > 0 && !simple && c.Field != "http-header" {
		return made, invalid("The 'RegexValues' field is not compatible with '%s'", c.Field)
	}
	made.Values, made.Regex = c.Values, c.RegexValues
	if err := c.configure(&made); err != nil {
		return made, err
	}
	return made, checkCondition(made)
}

// configure takes the values of the configuration for a condition's field.
func (c condition) configure(made *region.RuleCondition) error {
	missing := func(config string) error {
		return invalid("A '%s' must be specified with '%s'", config, c.Field)
	}
	config := c.HostHeaderConfig
	switch c.Field {
	case "path-pattern":
		config = c.PathPatternConfig
		fallthrough
	case "host-header":
		switch {
		case config != nil && len(c.Values) > 0:
			return invalid("You cannot provide both Values and a config for a condition of type '%s'", c.Field)
		case config != nil:
			made.Values, made.Regex = config.Values, append(made.Regex, config.RegexValues...)
		case len(c.Values) > 1:
			return invalid("The '%s' field contains too many values; the limit is '1'", c.Field)
		}
	case "http-header":
		if c.HTTPHeaderConfig == nil {
			return missing("HttpHeaderConfig")
		}
		made.Header, made.Values = c.HTTPHeaderConfig.Name, c.HTTPHeaderConfig.Values
		made.Regex = append(made.Regex, c.HTTPHeaderConfig.RegexValues...)
	case "query-string":
		if c.QueryStringConfig == nil {
			return missing("QueryStringConfig")
		}
		for _, pair := range c.QueryStringConfig.Values {
			made.Query = append(made.Query, region.QueryPair{Key: pair.Key, Value: pair.Value})
		}
	case "http-request-method":
		if c.HTTPRequestMethodConfig == nil {
			return missing("HttpRequestMethodConfig")
		}
		made.Values = c.HTTPRequestMethodConfig.Values
	case "source-ip":
		if c.SourceIPConfig == nil {
			return missing("SourceIpConfig")
		}
		made.Values = c.SourceIPConfig.Values
	}
	return nil
}

var methodChars = regexp.MustCompile(`^[A-Z_-]+$`)

// checkCondition says whether the values are such as its field has.
func checkCondition(c region.RuleCondition) error {
	if len(c.Values)+len(c.Regex)+len(c.Query) == 0 {
		return invalid("A condition value must be specified")
	}
	if len(c.Values) > 0 && len(c.Regex) > 0 {
		return invalid("You cannot provide both values and regular expressions for a condition of type '%s'", c.Field)
	}
	if c.Field == "http-header" {
		switch {
		case c.Header == "":
			return invalid("A 'HttpHeaderName' must be specified with 'http-header'")
		case len(c.Header) > maxHeader:
			return invalid("The 'HttpHeaderName' value is too long; the limit is '%d'", maxHeader)
		case strings.EqualFold(c.Header, "host"):
			return invalid("The 'http-header' field does not support the host header: use 'host-header'")
		}
	}
	for _, pair := range c.Query {
		if len(pair.Key) > maxValue {
			return invalid("The 'Key' value is too long; the limit is '%d'", maxValue)
		}
		if len(pair.Value) > maxValue || pair.Value == "" {
			return invalid("A 'Value' of up to '%d' characters must be specified in 'QueryStringKeyValuePair'", maxValue)
		}
	}
	for _, text := range c.Regex {
		if _, err := regexp.Compile(text); err != nil || len(text) > maxValue {
			return invalid("The regular expression '%s' of '%s' is not valid", wire.Clip(text), c.Field)
		}
	}
	for _, value := range c.Values {
		if err := checkValue(c.Field, value); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(field, value string) error {
	switch {
	case value == "":
		return invalid("A condition value must be specified")
	case field == "http-request-method" && len(value) > maxHeader:
		return invalid("The '%s' value is too long; the limit is '%d'", field, maxHeader)
	case len(value) > maxValue:
		return invalid("The '%s' value is too long; the limit is '%d'", field, maxValue)
	case field == "http-request-method" && !methodChars.MatchString(value):
		return invalid("The 'http-request-method' value is invalid; the allowed characters are A-Z, hyphen and underscore")
	case field == "source-ip":
		if _, err := netip.ParsePrefix(value); err != nil {
			return invalid("The 'source-ip' value '%s' must be in CIDR format", wire.Clip(value))
		}
	}
	return nil
}

// shownConditions are conditions in the API's form. AWS shows simple ones in the older form, too.
func shownConditions(records []region.RuleCondition) (all wire.QueryList[condition]) {
	for _, r := range records {
		c := condition{Field: r.Field}
		both := &valuesConfig{r.Values, r.Regex}
		switch r.Field {
		case "host-header":
			c.Values, c.HostHeaderConfig = r.Values, both
		case "path-pattern":
			c.Values, c.PathPatternConfig = r.Values, both
		case "http-header":
			c.HTTPHeaderConfig = &headerConfig{r.Header, r.Values, r.Regex}
		case "http-request-method":
			c.HTTPRequestMethodConfig = &plainValues{r.Values}
		case "source-ip":
			c.SourceIPConfig = &plainValues{r.Values}
		case "query-string":
			c.QueryStringConfig = &queryConfig{}
			for _, pair := range r.Query {
				c.QueryStringConfig.Values = append(c.QueryStringConfig.Values, queryPair{pair.Key, pair.Value})
			}
		}
		all = append(all, c)
	}
	return all
}
