#!/usr/bin/env bash
# The walk-through as a careful person scripts it today: the same work as the release runbook, with the same checks.
# Usage: walkthrough.sh CONTEXT REPOSITORY LOCAL_NAME DEPLOY SERVICE
set -euo pipefail
context=$1 repository=$2 local_name=$3 deploy=$4 service=$5 tag=custom-tag-1 environment=demo pause=0.1
layer0() { # METHOD PATH [BODY]
    curl --silent --show-error --fail -X "$1" -H "Authorization: Basic $LAYER0_AUTH_TOKEN" \
        ${3:+-H 'Content-Type: application/json' --data "$3"} "${LAYER0_API_ENDPOINT%/}$2"
}
field() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" | head -n 1; }

aws sts get-caller-identity --output text >/dev/null
uri=$(aws ecr describe-repositories --repository-names "$repository" --query 'repositories[0].repositoryUri' --output text 2>/dev/null) ||
    uri=$(aws ecr create-repository --repository-name "$repository" --query repository.repositoryUri --output text)
aws ecr get-login-password | docker login --username AWS --password-stdin "${uri%%/*}" >/dev/null 2>&1
docker build -q -f "$context/Dockerfile.wait" -t "$local_name" "$context" >/dev/null
docker tag "$local_name" "$uri:$tag"
docker push "$uri:$tag" >/dev/null
digest=$(aws ecr describe-images --repository-name "$repository" --image-ids imageTag=$tag --query 'imageDetails[0].imageDigest' --output text)

environment_id=$(layer0 GET "/tag?type=environment&fuzz=$environment" | field entity_id)
document=$(sed "s|\"image\": \"[^\"]*\"|\"image\": \"$uri@$digest\"|" "$context/timeout.dockerrun.aws.json" | base64 -w0)
deploy_id=$(layer0 GET "/tag?type=deploy&fuzz=$deploy&version=latest" | field entity_id)
if [ -z "$deploy_id" ] || ! layer0 GET "/deploy/$deploy_id" | field dockerrun | base64 -d | grep -q "$digest"; then
    deploy_id=$(layer0 POST /deploy "{\"deploy_name\":\"$deploy\",\"dockerrun\":\"$document\"}" | field deploy_id)
fi
service_id=$(layer0 GET "/tag?type=service&fuzz=$service&environment_id=$environment_id" | field entity_id)
if [ -z "$service_id" ]; then
    service_id=$(layer0 POST /service "{\"deploy_id\":\"$deploy_id\",\"environment_id\":\"$environment_id\",\"load_balancer_id\":\"\",\"service_name\":\"$service\"}" | field service_id)
    pause=0.5
elif [ "$(layer0 GET "/service/$service_id" | field deploy_id)" != "$deploy_id" ]; then
    layer0 PUT "/service/$service_id/deploy" "{\"deploy_id\":\"$deploy_id\"}" >/dev/null
    pause=0.5
fi
good=0
for _ in $(seq 600); do
    answer=$(layer0 GET "/service/$service_id")
    # Stable: one deployment, of our deploy, with all its copies running; three times in a row, as the runbook checks.
    if [ "$(grep -c '"deployment_id"' <<<"$answer")" = 1 ] && [ "$(field deploy_id <<<"$answer")" = "$deploy_id" ] &&
        [ "$(field running_count <<<"$answer")" = "$(field desired_count <<<"$answer")" ]; then
        good=$((good + 1))
    else
        good=0
    fi
    [ $good -lt 3 ] || break
    sleep $pause
done
[ $good -ge 3 ]
layer0 GET "/deploy/$deploy_id" | field dockerrun | base64 -d | grep -q "$digest"
