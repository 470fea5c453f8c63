package iam

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// What may be stored as a role's trust policy. IAM reads it with another parser than the policies of identities, which
// has other sentences.
const (
	saysNoJSON         = "This policy contains invalid Json"
	saysLeadingSpaces  = "JSON strings must not have leading spaces"
	saysUnknownField   = "Unknown field %s"
	saysBadVersion     = "The policy must contain a valid version string"
	saysNoStatement    = "Could not parse the policy: Statement is empty!"
	saysNoEffect       = "Missing required field Effect"
	saysBadEffect      = "Invalid effect: %s"
	saysHasResource    = "Has prohibited field Resource"
	saysHasNotResource = "AssumeRole policy must not contain resources."
	saysAllowNot       = "Allow with NotPrincipal is not allowed."
	saysNotPrincipal   = "AssumeRole policy must not contain NotPrincipal field."
	saysNoPrincipal    = "Missing required field Principal"
	saysEmptyPrincipal = "Missing required field Principal cannot be empty!"
	saysPlainPrincipal = "Principal must be a JSON object."
	saysPrincipalKind  = `Invalid principal in policy: "%s"`
	saysNobody         = "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in " +
		"policy has a statement with no principals!"
	saysService   = `Invalid principal in policy: "SERVICE":"%s"`
	saysUnknown   = `Invalid principal in policy: "AWS":"%s"`
	saysFederated = "Federated principals must be valid domain names or SAML metadata ARNs"
	saysCognito   = "A condition block must be present for the Cognito provider"
	// saysShared is Tripod's own: AWS's sentence about shared issuers is in no document.
	saysShared = "The trust policy must have a condition on %s that is more than wildcards: the issuer signs " +
		"tokens for everybody."
	saysTrustSyntax     = "Syntax error in policy."
	saysNoAction        = "Missing required field Action"
	saysForeignAction   = "AssumeRole policy may only specify STS AssumeRole actions."
	saysTwiceSID        = "The Statement Ids in the policy are not unique"
	cognito             = "cognito-identity.amazonaws.com"
	vendorOfTrustPolicy = "sts:"
)

var (
	// servicePrincipal is the form of the services' names. Which of them there are AWS knows alone.
	servicePrincipal = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+(amazonaws\.com|amazon\.com|aws\.internal)$`)
	federated        = regexp.MustCompile(`^(arn:aws:iam::\d{12}:(oidc|saml)-provider/.+|([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,})$`)
)

// CheckTrust says whether IAM takes a document as a role's trust policy. Whether those whom it names are there is
// Bind's matter. The error is a *Malformed.
func CheckTrust(text string) error {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil || len(text) > mostPolicyText {
		return malformed(saysNoJSON)
	}
	if strings.HasPrefix(text, " ") {
		return malformed(saysLeadingSpaces)
	}
	if err := unknownField(members, "Version", "Id", "Statement"); err != nil {
		return err
	}
	var version string
	if raw, found := members["Version"]; found &&
		(json.Unmarshal(raw, &version) != nil || version != policyVersion && version != oldVersion) {
		return malformed(saysBadVersion)
	}
	list, ok := statementList(members["Statement"])
	if !ok || len(list) == 0 {
		return malformed(saysNoStatement)
	}
	seen := map[string]bool{}
	for _, raw := range list {
		var fields map[string]json.RawMessage
		value, ok := readValue(raw)
		if s, isObject := value.(map[string]any); ok && isObject && json.Unmarshal(raw, &fields) == nil {
			if err := unknownField(fields, elements...); err != nil {
				return err
			}
			if err := grammarStatement(s).trust(); err != nil {
				return err
			}
			sid, _ := s["Sid"].(string)
			if sid != "" && seen[sid] {
				return malformed(saysTwiceSID)
			}
			seen[sid] = true
			continue
		}
		return malformed(saysTrustSyntax)
	}
	if _, err := ParseTrust(text); err != nil { // what cannot be evaluated later must not be stored
		return malformed(saysTrustSyntax)
	}
	return nil
}

// UnknownPrincipal is the refusal of a trust policy that names somebody who is not there.
func UnknownPrincipal(element string) error { return malformed(saysUnknown, element) }

func unknownField(members map[string]json.RawMessage, known ...string) error {
	var unknown []string
	for name := range members {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return malformed(saysUnknownField, slices.Min(unknown))
}

// trust checks one statement of a trust policy.
func (s grammarStatement) trust() error {
	effect, isText := s["Effect"].(string)
	_, textSID := s["Sid"].(string)
	switch {
	case !s.has("Effect"):
		return malformed(saysNoEffect)
	case !isText || s.has("Sid") && !textSID:
		return malformed(saysTrustSyntax)
	case effect != effectAllow && effect != effectDeny:
		return malformed(saysBadEffect, effect)
	case s.has("Resource"):
		return malformed(saysHasResource)
	case s.has("NotResource"):
		return malformed(saysHasNotResource)
	case s.has("NotPrincipal") && effect == effectAllow:
		return malformed(saysAllowNot)
	case s.has("NotPrincipal"):
		return malformed(saysNotPrincipal)
	}
	if err := s.trusted(); err != nil {
		return err
	}
	if s.has("Condition") && !conditionSyntax(s["Condition"]) {
		return malformed(saysTrustSyntax)
	}
	if err := s.stsActions(); err != nil {
		return err
	}
	return s.narrowed()
}

// trusted checks the principals of a trust policy's statement.
func (s grammarStatement) trusted() error {
	principal, isObject := s["Principal"].(map[string]any)
	_, plain := s["Principal"].(string)
	switch {
	case !s.has("Principal"):
		return malformed(saysNoPrincipal)
	case plain:
		return malformed(saysPlainPrincipal)
	case !isObject:
		return malformed(saysTrustSyntax)
	case len(principal) == 0:
		return malformed(saysEmptyPrincipal)
	}
	for kind, value := range principal {
		switch {
		case !slices.Contains([]string{kindAWS, "Service", "Federated"}, kind):
			return malformed(saysPrincipalKind, kind)
		case !isTexts(value):
			return malformed(saysTrustSyntax)
		}
	}
	of := grammarStatement(principal)
	for kind := range principal {
		if len(of.texts(kind)) == 0 {
			return malformed(saysNobody)
		}
	}
	for _, service := range of.texts("Service") {
		if !servicePrincipal.MatchString(service) {
			return malformed(saysService, service)
		}
	}
	for _, provider := range of.texts("Federated") {
		switch {
		case !federated.MatchString(provider):
			return malformed(saysFederated)
		case provider == cognito && !s.has("Condition"):
			return malformed(saysCognito)
		}
	}
	return nil
}

// stsActions checks the actions of a trust policy's statement: STS's, and no others.
func (s grammarStatement) stsActions() error {
	switch {
	case s.has("Action") && s.has("NotAction"):
		return malformed(saysTrustSyntax)
	case s.lacks("Action", "NotAction"):
		return malformed(saysNoAction)
	}
	for _, element := range []string{"Action", "NotAction"} {
		if s.has(element) && !isTexts(s[element]) {
			return malformed(saysTrustSyntax)
		}
		if slices.ContainsFunc(s.texts(element), func(action string) bool {
			return len(action) <= len(vendorOfTrustPolicy) ||
				!strings.EqualFold(action[:len(vendorOfTrustPolicy)], vendorOfTrustPolicy)
		}) {
			return malformed(saysForeignAction)
		}
	}
	return nil
}
